import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sluice } from './testing/run.ts';

/** Runs the command on lines of stdin. */
async function classify(
  rows: readonly object[],
  ...args: string[]
): Promise<{ code: number; lines: Record<string, unknown>[]; said: string }> {
  const { code, stdout, stderr } = await sluice(['classify', '-', ...args], { stdin: rows.map((row) => JSON.stringify(row)).join('\n') });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), said: stderr };
}

const sum = 'What is 2 + 2?';
const proof = 'Prove that every finite division ring is commutative.';

describe('sluice classify', () => {
  it('judges prompts and requests of each API alike, in order, with the ids that rows have', async () => {
    const { code, lines } = await classify([
      { prompt: proof },
      { id: 'b', messages: [{ role: 'user', content: proof }] },
      { id: 'c', system: 'Be kind.', messages: [{ role: 'user', content: [{ type: 'text', text: sum }] }], max_tokens: 5 },
      { id: 'd', contents: [{ role: 'user', parts: [{ text: proof }] }] },
      { id: 'e', request: { input: proof, model: 'm' } },
    ]);
    expect(code).toBe(0);
    expect(lines.map(({ id }) => id)).toEqual([1, 'b', 'c', 'd', 'e']);
    expect(lines.map(({ tier }) => tier)).toEqual(['complex', 'complex', 'simple', 'complex', 'complex']);
    expect(Object.keys(lines[0]!)).toEqual(['id', 'tier', 'score', 'task', 'domain', 'language', 'confidence']);
    expect(lines[1]).toEqual({ ...lines[0], id: 'b' });
  });

  it('compares with the labels that rows have, and fails below the share', async () => {
    const rows = [
      { prompt: sum, expected_tier: 'simple' },
      { prompt: proof, expected_tier: 'simple', task: 'maths' },
    ];
    const [half, all] = await Promise.all([classify(rows, '--check', '0.5'), classify(rows, '--check', '0.9')]);
    expect(half).toMatchObject({ code: 0, said: 'tier: 1 of 2 right (50.0%)\ntask: 1 of 1 right (100.0%)\n' });
    expect(all.code).toBe(1);
    expect(all.said).toContain('SLUICE_CLASSIFY_BELOW');
    expect(all.lines).toHaveLength(2);
  });

  it("judges by a policy's thresholds and examples where one is named, for the workspace that is named", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-classify-'));
    const policy = join(folder, 'policy.yaml');
    writeFileSync(
      policy,
      `version: 1
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  thresholds: { simple: { score: 0.001 }, standard: { score: 0.002 } }
sections:
  - name: finance
    match: { workspace: [finance] }
    classifier: { examples: [{ name: sum, prompt: "${sum}", task: planning, domain: legal }], file: team.jsonl }
`,
    );
    // As `sluice label` writes it.
    writeFileSync(
      join(folder, 'team.jsonl'),
      `${JSON.stringify({ id: 7, prompt: proof, expected_tier: 'simple', task: 'chitchat', domain: 'legal' })}\n`,
    );
    try {
      const of = async (...args: string[]): Promise<unknown[]> => {
        const { lines } = await classify([{ prompt: sum }], ...args);
        return [lines[0]?.['tier'], lines[0]?.['task'], lines[0]?.['domain']];
      };
      const [tier, ...said] = await of();
      expect(tier).toBe('simple');
      expect(await of('--policy', policy)).toEqual(['complex', ...said]);
      expect(await of('--policy', policy, '--workspace', 'finance')).toEqual(['complex', 'planning', 'legal']);
      const taught = await classify(
        [{ prompt: sum }, { prompt: proof }, { prompt: 'hello' }],
        '--policy',
        policy,
        '--workspace',
        'finance',
      );
      expect(taught.lines.map(({ taught: by }) => by)).toEqual([['example sum'], ['example line-1'], []]);
      expect(taught.lines[1]).toMatchObject({ tier: 'simple', task: 'chitchat', domain: 'legal' });
      expect((await classify([{ prompt: sum }], '--policy', join(folder, 'none.yaml'))).code).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  it('says what is wrong with a row and where', async () => {
    const { code, said } = await classify([{ prompt: sum }, { nothing: 1 }]);
    expect(code).toBe(1);
    expect(said).toContain('stdin:2');
    expect((await classify([{ prompt: sum, task: 'coding' }], '--check')).said).toContain('stdin:1');
    expect((await classify([{ prompt: sum }], '--check', '7')).code).toBe(2);
  });
});
