import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadCatalog } from '../catalog/index.ts';
import type { Catalog } from '../catalog/types.ts';
import { limits } from '../lib/limits.ts';
import { compilePolicy } from './compile.ts';
import { inSteps, PolicyCompiler, Rounds } from './compiler.ts';
import type { PolicyFile, PolicySnapshot } from './types.ts';

let catalog: Catalog;
beforeAll(async () => {
  catalog = await loadCatalog();
});
const compilers: PolicyCompiler[] = [];
const compiler = (now?: () => number): PolicyCompiler => {
  const made = new PolicyCompiler(now);
  compilers.push(made);
  return made;
};
afterEach(() => {
  for (const each of compilers.splice(0)) each.close();
});

const section = (number: number, more = ''): string =>
  `  - name: team-${number}\n    match: { workspace: [team-${number}], provider: [openai] }\n    mode: ${number % 2 === 0 ? 'shadow' : 'enabled'}\n${more}`;
const lines = (from: number, to: number, more = ''): string =>
  Array.from({ length: to - from }, (_, at) => section(from + at, at === 7 ? more : '')).join('');
const head =
  'version: 1\ndefaults: { candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] } }\n';
/** Two files that together are compiled beside the requests. */
const large = (more = ''): PolicyFile[] => [
  { name: 'a.yaml', text: `${head}sections:\n${lines(0, 150, more)}` },
  { name: 'b.yaml', text: `version: 1\nsections:\n${lines(150, 300)}` },
];

function seen({ hash, files }: PolicySnapshot, generation: PolicySnapshot): unknown {
  return {
    hash,
    files,
    modes: Array.from({ length: 301 }, (_, at) => generation.section(`team-${at}`, 'openai').mode),
    names: Array.from({ length: 301 }, (_, at) => generation.section(`team-${at}`, 'openai').name),
  };
}

describe('a large policy', () => {
  it('is compiled later, and as a small one is', async () => {
    expect(large().reduce((sum, { text }) => sum + text.length, 0)).toBeGreaterThan(limits.inlinePolicyBytes);
    const soon = compiler().compile(large(), { catalog, now: 1 });
    expect(soon).toBeInstanceOf(Promise);
    const [apart, here] = [await soon, compilePolicy(large(), { catalog, now: 1 })];
    expect(apart.problems).toEqual(here.problems);
    expect(seen(apart.generation!, apart.generation!)).toEqual(seen(here.generation!, here.generation!));
  });

  it('has its problems in the same places and words: of its text, its schema, its sections, and of two files', async () => {
    const mistakes = [
      large('    candidates: { simple: [openai/gpt-5-nan] }\n'),
      large('    rules: [{ name: r, when: "verdict.tier == \'simple\' && nothing > 1", then: { tier: complex } }]\n'),
      large('    mode: on\n    colour: red\n'),
      large('\t- broken: ['),
      large('    # sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRST\n'),
      [...large(), { name: 'c.yaml', text: `version: 1\nsections:\n${section(9)}`, lineOffset: 40, columnOffset: 4 }],
      [...large(), { name: 'c.yaml', text: 'version: 2\n', at: { line: 7, column: 3 } }],
      [...large(), { name: 'c.yaml', text: 'version: 1\nsections:\n  - name: x\n    mode: off\n', namespace: 'team' }],
    ];
    const one = compiler();
    const trusted = (namespace: string): boolean => namespace !== 'team';
    for (const files of mistakes) {
      const [apart, here] = [await one.compile(files, { catalog, trusted }), compilePolicy(files, { catalog, trusted })];
      expect(here.problems.length).toBeGreaterThan(0);
      expect(apart.problems).toEqual(here.problems);
      expect(apart.generation === null).toBe(here.generation === null);
    }
  });

  it('has experiments that vary its sections', async () => {
    const experiment = 'experiments:\n  - { name: e, kind: ab, share: 50%, settings: { mode: off } }\n';
    const files = [{ name: 'a.yaml', text: `${head}${experiment}sections:\n${lines(0, 300)}` }];
    const { generation, problems } = await compiler().compile(files, { catalog });
    expect(problems.filter(({ level }) => level === 'error')).toEqual([]);
    const [arm] = generation!.experiments;
    expect(arm?.kind === 'ab' && arm.section?.('team-7', 'openai').mode).toBe('off');
    expect(generation!.section('team-7', 'openai').mode).toBe('enabled');
  });

  it('lets others run meanwhile, one policy after the other', async () => {
    const one = compiler();
    const order: string[] = [];
    const first = Promise.resolve(one.compile(large(), { catalog })).then(() => order.push('first'));
    const second = Promise.resolve(one.compile(large('    # 2\n'), { catalog })).then(() => order.push('second'));
    await new Promise((resolve) => setImmediate(resolve));
    order.push('others');
    await Promise.all([first, second]);
    expect(order).toEqual(['others', 'first', 'second']);
  });

  it('is compiled in steps of a section', async () => {
    let looks = 0;
    // As if each step took as long as steps may together.
    const slow = compiler(() => looks++ * limits.policyStepMs);
    expect((await slow.compile(large(), { catalog })).generation).not.toBeNull();
    expect(looks).toBeGreaterThan(300);
  });
});

describe('a small policy', () => {
  it('is compiled at once', () => {
    const result = compiler().compile([{ name: 'a.yaml', text: head }], { catalog });
    expect(result).not.toBeInstanceOf(Promise);
    expect(result).toMatchObject({ problems: [] });
  });
});

describe('steps', () => {
  it('are done at once if they are short, and give way where they are long', async () => {
    let time = 0;
    let others = 0;
    function* steps(count: number, ms: number): Generator<undefined, number> {
      for (let step = 0; step < count; step++) {
        time += ms;
        yield;
      }
      return others;
    }
    expect(inSteps(steps(3, 1), () => time)).toBe(0);
    const result = inSteps(steps(3, limits.policyStepMs), () => time);
    setImmediate(() => others++);
    expect(await result).toBe(1);
  });
});

describe('rounds', () => {
  it('run once at a time, and once more for all who asked meanwhile', async () => {
    const ends: (() => void)[] = [];
    const rounds = new Rounds(() => new Promise<void>((resolve) => ends.push(resolve)));
    const all = [rounds.run(), rounds.run(), rounds.run()].map((round) => Promise.resolve(round));
    expect(ends.length).toBe(1);
    ends[0]!();
    await expect.poll(() => ends.length).toBe(2);
    ends[1]!();
    await Promise.all(all);
    expect(ends.length).toBe(2);
    const again = rounds.run();
    expect(ends.length).toBe(3);
    ends[2]!();
    await again;
  });
});
