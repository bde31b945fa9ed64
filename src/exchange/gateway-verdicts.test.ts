import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel, type LiveModel } from '../router/model/live.ts';
import { head, outputs } from '../classify/text/heads.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { explainRecord } from '../route/explain.ts';
import type { PipelineOptions } from './gateway.ts';
import { bodyOf, candidates, chatBody, chatHeaders, forwarded, headersOf, pipelineOf } from './testing/pipeline.ts';

let router: LiveModel;

beforeAll(async () => {
  router = await openModel({ file: null, onChange: () => undefined, onError: () => undefined });
});

describe('a section that asks the sentence model', () => {
  const addition = new Float64Array(outputs).map((_, k) => (k === head.level ? 4 : 0));
  const policy = (waitMs: number): string => `version: 1\ndefaults: {${candidates}, classifier: {embedding: {waitMs: ${waitMs}}}}\n`;
  const ask = async (text: string, embedder: PipelineOptions['embedder']): Promise<{ record: ExchangeRecord; counted: string }> => {
    const { pipeline, records, metrics } = await pipelineOf(text, { embedder });
    const plan = pipeline.requestHeaders(headersOf(chatHeaders), false);
    if (plan.kind !== 'read-body') throw new Error(plan.kind);
    const answer = plan.handler.take(Buffer.from(chatBody()));
    if (answer.kind === 'later') await answer.result;
    pipeline.close();
    const counted = (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('llm_proxy_embedding_total{'));
    return { record: records[0]!, counted: counted.join() };
  };

  it('is judged with what is known of the prompt, at once or within the time that it waits; the record says what it changed', async () => {
    const plain = (await ask(policy(0), null)).record.verdict!;
    for (const [waitMs, found] of [
      [0, { result: 'cached', addition }],
      [50, Promise.resolve({ result: 'computed', addition } as const)],
    ] as const) {
      const waits: number[] = [];
      const { record, counted } = await ask(policy(waitMs), { find: (_, ms) => (waits.push(ms), found) });
      const { result } = await found;
      expect(waits).toEqual([waitMs]);
      expect(record.verdict!.level).toBeGreaterThan(plain.level!);
      expect(record.verdict!.signals[0]!.share).toBe(plain.signals[0]!.share);
      expect(record.verdict!.signals[1]).toMatchObject({ name: 'embedding', value: result });
      expect(record.verdict!.signals[1]!.share).toBeGreaterThan(0.1);
      expect(explainRecord(record)).toMatch(new RegExp(`\\+0\\.\\d{3} {2}embedding = ${result}\\n`));
      expect(counted).toBe(`llm_proxy_embedding_total{result="${result}"} 1`);
    }
  });

  it('is judged by the text model alone if the vector is late, and the record says so', async () => {
    const plain = (await ask(policy(0), null)).record.verdict!;
    const { record, counted } = await ask(policy(0), { find: () => ({ result: 'late', addition: null }) });
    expect(record.verdict).toEqual({
      ...plain,
      signals: [plain.signals[0], { name: 'embedding', value: 'late', share: 0 }, ...plain.signals.slice(1)],
    });
    expect(counted).toBe('llm_proxy_embedding_total{result="late"} 1');
  });

  it('asks nothing where the policy does not say so', async () => {
    const none = { find: () => expect.unreachable() };
    const { record, counted } = await ask(`version: 1\ndefaults: {${candidates}}\n`, none);
    expect(record.verdict!.signals.map(({ name }) => name)).not.toContain('embedding');
    expect(counted).toBe('');
  });
});

describe('a section with learned routing', () => {
  const easy = 'The psychologist most associated with classical conditioning is\\nA. Freud\\nB. Pavlov\\nC. Skinner\\nD. Maslow';
  const hard = 'Write a function to find the longest common subsequence of two strings.';
  const pair = 'pair: {weak: mixtral-8x7b-instruct, strong: gpt-4-1106-preview}';
  const chat = (content: string, more = ''): string => `{"model":"gpt-5.1",${more}"messages":[{"role":"user","content":"${content}"}]}`;

  async function decided(learned: string, body: string, rest = ''): Promise<{ record: ExchangeRecord; sent: string | undefined }> {
    const { pipeline, records } = await pipelineOf(
      `version: 1\ndefaults: {learned: {weak: openai/gpt-5-nano, strong: [gpt-5.1], ${learned}}${rest}}\n`,
      { router },
    );
    const { body: sent } = forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), body));
    pipeline.close();
    return { record: records[0]!, sent };
  }

  it('sends to the weak model what it is good enough for, and says why', async () => {
    const { record, sent } = await decided(`maxQualityLoss: 4%, ${pair}`, chat(easy));
    expect(sent).toContain('"model":"gpt-5-nano"');
    expect(record).toMatchObject({
      servedModel: 'gpt-5-nano',
      decision: {
        reason: 'learned',
        learned: { says: 'weak', acts: true, abstained: null, calibration: 'mixtral-8x7b-instruct > gpt-4-1106-preview', maxLoss: 0.04 },
      },
    });
    const { learned } = record.decision!;
    expect(learned!.gain).toBeLessThanOrEqual(learned!.threshold!);
    const text = explainRecord(record);
    expect(text).toContain('because     the learned router expects the cheaper model to do as well');
    for (const { name } of learned!.influences) expect(text).toMatch(new RegExp(`[+-]\\d\\.\\d{3} {2}${name}\\n`));
    // Nothing of the prompt but its hash is in the record.
    expect(JSON.stringify(record)).not.toContain('Pavlov');
  });

  it('gives no verdict on what another pair needs the strong model for, under a promise that nothing keeps, and on what it has never seen', async () => {
    const outcomes = await Promise.all([
      decided(`maxQualityLoss: 3%, ${pair}`, chat(hard)),
      decided('maxQualityLoss: 1%, pair: {weak: mistral-7b-instruct-v0.3, strong: llama-3.1-nemotron-51b-instruct}', chat(easy)),
      decided(`maxQualityLoss: 3%, ${pair}`, chat(easy, '"tools":[{"type":"function","function":{"name":"f"}}],')),
      decided(`maxQualityLoss: 3%, ${pair}`, chat('Қазақстанның астанасы қай қала екенін айтыңыз')),
    ]);
    expect(
      outcomes.map(({ record, sent }) => [
        sent,
        record.servedModel,
        record.decision!.reason,
        record.decision!.learned!.says,
        record.decision!.learned!.abstained,
      ]),
    ).toEqual([
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, null],
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, null],
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, 'tools'],
      [undefined, 'gpt-5.1', 'kept-tier-not-routed', null, 'words'],
    ]);
  });

  it('as the page shows it, never costs more than the tiers alone, and moves whatever they move', async () => {
    const [, example = ''] =
      /```yaml\n(version: 1[\s\S]*?)```/.exec(readFileSync(new URL('../../docs/learned-routing.md', import.meta.url), 'utf8')) ?? [];
    const tiers = `  ${candidates}\n  tiers: [simple, standard, complex]\n`;
    const prompts = [
      easy,
      hard,
      'Hi',
      'thanks, that helps!',
      'What is the capital of Peru?',
      'Design a globally distributed database with strict serialisability.',
      'Translate to French: the invoice is due on Friday.',
      'Summarise: we met on Monday, moved the launch to May and hired two people.',
      'Prove that the square root of 2 is irrational.',
      'A baker sells 12 loaves at $3 each and pays $9 for flour. How much is left?',
      'Schreibe eine kurze Absage an einen Bewerber.',
      'Give me ten names for a bakery.',
      'Which gas do plants take in?\\nA. Oxygen\\nB. Carbon dioxide\\nC. Helium\\nD. Neon',
      'Is this review positive? The food was cold and the waiter rude.',
    ];
    const costs = async (policy: string): Promise<readonly { readonly usd: number; readonly reason: string }[]> => {
      const { pipeline, records } = await pipelineOf(policy, { router });
      for (const prompt of prompts) forwarded(bodyOf(pipeline.requestHeaders(headersOf(chatHeaders), false), chat(prompt)));
      pipeline.close();
      return records.map(({ decision }) => ({
        usd: decision!.estimate.known ? decision!.estimate.usd : Infinity,
        reason: decision!.reason,
      }));
    };
    const alone = await costs(`version: 1\ndefaults:\n${tiers}`);
    const added = await costs(`${example}${tiers}`);
    expect(alone.filter(({ reason }) => reason === 'tier').length).toBeGreaterThan(prompts.length / 2);
    for (const [at, { usd }] of added.entries()) expect(usd, prompts[at]).toBeLessThanOrEqual(alone[at]!.usd);
  });

  it('only records what it would say of a pair without a calibration, unless the policy insists', async () => {
    const shadow = await decided('maxQualityLoss: 3%', chat(easy), `, ${candidates.replace('gpt-5-nano', 'gpt-5-mini')}`);
    expect(shadow.record).toMatchObject({
      servedModel: 'gpt-5-mini',
      decision: { reason: 'tier', learned: { acts: false, calibration: null, threshold: null, says: null } },
    });
    expect(explainRecord(shadow.record)).toContain('no calibration of this pair: only recorded');
    const insisting = await decided('maxQualityLoss: 3%, uncalibrated: strictest', chat(easy));
    expect(insisting.record).toMatchObject({ decision: { learned: { acts: true, calibration: null } } });
    expect(insisting.record.decision!.learned!.threshold).not.toBeNull();
  });

  it('leaves alone what asks for other models', async () => {
    const { record } = await decided(`maxQualityLoss: 3%, ${pair}`, chat(easy).replace('gpt-5.1', 'gpt-5-mini'));
    expect(record.decision).toMatchObject({ reason: 'kept-tier-not-routed' });
    expect(record.decision!.learned).toBeUndefined();
  });
});
