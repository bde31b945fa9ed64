import { describe, expect, it } from 'vitest';
import { catalog } from '../../test/support/policy.ts';
import { compilePolicy } from '../policy/compile.ts';
import { compose, policyObjectId, newestVersion, type Composed, type PolicyObject } from './compose.ts';
import { configMap } from './testing/config-map.ts';

function section(name: string, workspace: string, mode = 'enabled'): string {
  return `version: 1\nsections:\n  - name: ${name}\n    match: { workspace: [${workspace}] }\n    mode: ${mode}\n`;
}

function composed(
  configMaps: readonly PolicyObject[],
  facts: { readonly inForce?: readonly PolicyObject[]; readonly namespaces?: readonly string[]; readonly maxBytes?: number } = {},
): Composed {
  // Small policies are compiled at once.
  return compose({
    objects: configMaps,
    namespaces: facts.namespaces ?? [],
    inForce: new Map((facts.inForce ?? []).map((each) => [policyObjectId(each), each])),
    maxBytes: facts.maxBytes ?? 1_000_000,
    compile: (files) => compilePolicy(files.length === 0 ? [{ name: 'none', text: 'version: 1' }] : files, { catalog, inOrder: true }),
  }) as Composed;
}

const states = ({ sources }: Composed): string[] => sources.map(({ id, state }) => `${id} ${state}`);
const mode = ({ generation }: Composed, workspace: string): string | undefined => generation?.section(workspace, 'openai').mode;

describe('one policy of many ConfigMaps', () => {
  it('takes all that are good', () => {
    const made = composed([configMap('a/one', section('one', 'red', 'shadow')), configMap('b/two', section('two', 'blue', 'off'))]);
    expect([mode(made, 'red'), mode(made, 'blue')]).toEqual(['shadow', 'off']);
    expect(states(made)).toEqual(['a/one in-force', 'b/two in-force']);
  });

  it('leaves out a new one that is bad, and says its key and line', () => {
    const made = composed([configMap('a/one', section('one', 'red', 'shadow')), configMap('a/two', 'version: 1\nnonsense: 1\n')]);
    expect(states(made)).toEqual(['a/one in-force', 'a/two left-out']);
    expect(made.sources[1]!.problems).toMatchObject([{ file: 'a/two#policy.yaml', line: 2, code: 'unknown-key' }]);
    expect(mode(made, 'red')).toBe('shadow');
  });

  it('keeps the version in force of one whose edit is bad, and takes the others’ edits', () => {
    const old = [configMap('a/one', section('one', 'red', 'shadow')), configMap('a/two', section('two', 'blue', 'shadow'))];
    const made = composed(
      [
        configMap('a/one', 'version: 1\nsections: 7\n', { resourceVersion: '2' }),
        configMap('a/two', section('two', 'blue', 'off'), { resourceVersion: '3' }),
      ],
      { inForce: old },
    );
    expect(states(made)).toEqual(['a/one last-good', 'a/two in-force']);
    expect([mode(made, 'red'), mode(made, 'blue')]).toEqual(['shadow', 'off']);
    expect(newestVersion(made.inForce.values())).toBe('3');
  });

  it('prefers, of two that say the same, the namespace listed first, then the older one, then the name', () => {
    const same = (id: string, workspaceMode: string, created: number): PolicyObject =>
      configMap(id, section('same', 'red', workspaceMode), { created });
    expect(mode(composed([same('a/x', 'off', 1), same('b/x', 'shadow', 2)], { namespaces: ['b', 'a'] }), 'red')).toBe('shadow');
    expect(mode(composed([same('a/x', 'off', 2), same('b/x', 'shadow', 1)]), 'red')).toBe('shadow');
    const byName = composed([same('a/y', 'off', 1), same('a/x', 'shadow', 1)]);
    expect(mode(byName, 'red')).toBe('shadow');
    expect(states(byName)).toEqual(['a/x in-force', 'a/y left-out']);
    expect(byName.sources[1]!.problems).toMatchObject([{ code: 'twice', file: 'a/y#policy.yaml' }, { code: 'unreachable' }]);
  });

  it('changes nothing when another’s removal would take away one that is in force', () => {
    const provider = configMap(
      'a/provider',
      'version: 1\nproviders:\n  local: { dialect: openai, endpoint: "http://llm.local", catalog: openai }\n',
    );
    const user = configMap(
      'a/user',
      section('one', 'red')
        .replace('mode: enabled', 'candidates: { simple: [local/gpt-small] }\n    tiers: [simple]')
        .replace('[red] }', '[red], provider: [local] }'),
    );
    const both = composed([provider, user]);
    expect(states(both)).toEqual(['a/provider in-force', 'a/user in-force']);
    const without = composed([user], { inForce: [provider, user] });
    expect(without.generation).toBeNull();
    expect(without.sources[0]!.problems.length).toBeGreaterThan(0);
  });

  it('leaves out what is beyond the bytes that a policy may have, and one without a policy', () => {
    const made = composed(
      [configMap('a/one', section('one', 'red', 'shadow')), configMap('a/two', `# ${'x'.repeat(500)}\n${section('two', 'blue')}`)],
      { maxBytes: 300 },
    );
    expect(states(made)).toEqual(['a/one in-force', 'a/two left-out']);
    const empty = composed([configMap('a/none', '', { data: {} })]);
    expect(empty.sources[0]).toMatchObject({ state: 'left-out', problems: [{ code: 'empty' }] });
  });

  it('orders resourceVersions as numbers of any length', () => {
    expect(
      newestVersion(
        ['9', '10', '9007199254740993', '9007199254740992'].map((resourceVersion) => configMap('a/a', '', { resourceVersion })),
      ),
    ).toBe('9007199254740993');
    expect(newestVersion([])).toBeNull();
  });
});
