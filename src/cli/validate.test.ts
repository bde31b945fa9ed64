import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sluice, type CommandResult } from './testing/run.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-validate-'));
  writeFileSync(join(folder, 'good.yaml'), 'version: 1\n');
  writeFileSync(join(folder, 'warned.yaml'), 'version: 1\ndefaults: {pinned: [no-such-model]}\n');
  writeFileSync(join(folder, 'bad.yaml'), 'version: 1\ndefaults: {mode: nope}\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

const validate = (...args: string[]): Promise<CommandResult> => sluice(['validate', ...args]);

test('exit codes tell good, bad and misused apart, and --strict refuses warnings', async () => {
  const code = async (...args: string[]): Promise<number> => (await validate(...args)).code;
  expect(
    await Promise.all([
      code(join(folder, 'good.yaml')),
      code(join(folder, 'warned.yaml')),
      code('--strict', join(folder, 'warned.yaml')),
      code(join(folder, 'bad.yaml')),
      code('--format', 'xml', join(folder, 'good.yaml')),
      code(),
    ]),
  ).toEqual([0, 0, 1, 1, 2, 2]);
});

test('text, JSON and workflow annotations say file, line and what would be right', async () => {
  const file = join(folder, 'bad.yaml');
  const [text, json, github] = await Promise.all([
    validate(file),
    validate('--format', 'json', file),
    validate('--format', 'github', file),
  ]);
  expect(text.stdout).toContain(`${file}:2:18 error schema at defaults.mode: `);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problems: [{ file, line: 2, column: 18, code: 'schema' }] });
  expect(github.stdout).toMatch(new RegExp(`^::error file=${file},line=2,col=18,title=schema::.+enabled.+\n$`));
});

test('text says what share of which kind of prompt goes to which tier, for each decision table', async () => {
  const file = join(folder, 'tables.yaml');
  const candidates = '{ simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }';
  const strict = 'thresholds: { simple: { score: 0 }, standard: { score: 0 } }';
  writeFileSync(
    file,
    `version: 1\ndefaults: { candidates: ${candidates} }\nsections:\n  - { name: same, match: { workspace: [a] }, upgrades: never }\n  - { name: all-complex, match: { workspace: [b] }, ${strict} }\n`,
  );
  const { stdout } = await validate(file);
  expect(stdout).toMatch(
    /\nTiers of defaults, same by score, on [\d,]+ labelled prompts: simple \d+%, standard \d+%, complex \d+%\.\n {2}classification \d+\/\d+\/\d+, /,
  );
  expect(stdout).toMatch(
    /\nTiers of all-complex by score, .*: simple 0%, standard 0%, complex 100%\.\n.* code 0\/0\/100, .*\n {2}medical 0\/0\/100, /,
  );
  expect((await validate('--format', 'github', file)).stdout).not.toContain('Tiers of');
});

test('what a namespace may not write is refused, by the delegations of the manifests or as --trusted says', async () => {
  const manifest = (namespace: string, policy: string): string =>
    `---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: policy\n  namespace: ${namespace}\ndata:\n  policy.yaml: |\n${policy.replaceAll(/^/gm, '    ')}\n`;
  const team = (workspace: string): string =>
    manifest('team-a', `version: 1\nsections:\n  - name: s\n    match: { workspace: [${workspace}] }\n    tiers: []`);
  writeFileSync(join(folder, 'platform.manifest'), manifest('platform', 'version: 1\ndelegations:\n  team-a: { workspaces: [search] }'));
  writeFileSync(join(folder, 'own.manifest'), team('search'));
  writeFileSync(join(folder, 'stolen.manifest'), team('shop'));
  const answer = (...args: string[]): ReturnType<typeof validate> =>
    validate(...args.map((arg) => (arg.endsWith('.manifest') ? join(folder, arg) : arg)));
  const [own, stolen, alone, untrusted, bothTrusted] = await Promise.all([
    answer('platform.manifest', 'own.manifest'),
    answer('platform.manifest', 'stolen.manifest'),
    answer('own.manifest'),
    answer('--trusted', 'platform', 'own.manifest'),
    answer('--trusted', 'platform,team-a', 'platform.manifest', 'stolen.manifest'),
  ]);
  expect([own.code, stolen.code, alone.code, untrusted.code, bothTrusted.code]).toEqual([0, 1, 0, 1, 0]);
  expect(stolen.stdout).toContain(
    'stolen.manifest#policy.yaml:12:30 error not-delegated at sections[0].match.workspace[0]: shop is no workspace of the namespace team-a. It may write sections for search.',
  );
});

test('a policy on stdin is named so, in text and in JSON', () => {
  const run = (...args: string[]): string =>
    spawnSync('bin/sluice', ['validate', ...args, '-'], { input: 'version: 1\ndefaults: {mode: nope}\n', encoding: 'utf8' }).stdout;
  expect(run()).toMatch(/^stdin:2:18 error schema at defaults\.mode: /);
  expect(JSON.parse(run('--json'))).toMatchObject({ problems: [{ file: 'stdin' }] });
});
