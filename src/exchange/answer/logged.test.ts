import { describe, expect, it } from 'vitest';
import { usageModeOf } from '../../attach/usage.ts';
import { type UsageMode } from '../../attach/names.ts';
import type { ApiName } from '../../apis/types.ts';
import type { LoggedExchange, ReportedUsage } from '../plans.ts';
import { answerSource, loggedEnding } from './logged.ts';
import type { OpenExchange } from '../open.ts';

const plain: Pick<OpenExchange, 'api' | 'fill' | 'grading'> = { api: 'openai-chat', fill: null, grading: null };
const silent = { audioInputs: 0, audioOutput: false };
const body = Buffer.from('{"messages":[]}');
// Only whether these are there counts.
const there = {} as never;

describe('by what an answer is read', () => {
  it.each<readonly [UsageMode, string]>([
    ['observe', 'copies'],
    ['collect', 'collected'],
    ['protocol-manager', 'protocol-manager'],
  ])('is what its Envoy can do: %s', (usage, source) => {
    expect(answerSource(usage, plain, silent, body)).toBe(source);
    expect(answerSource(usage, { ...plain, grading: { maxOutputTokens: null, copy: null, judge: null, verify: null } }, silent, body)).toBe(
      source,
    );
  });

  it.each<readonly [string, Partial<typeof plain>]>([
    ['the cache keeps it', { fill: there }],
    ['its form is graded', { grading: { maxOutputTokens: null, copy: there, judge: null, verify: null } }],
    ['a judge reads it', { grading: { maxOutputTokens: null, copy: null, judge: there, verify: null } }],
  ])('is copies wherever %s', (_name, facts) => {
    for (const usage of ['collect', 'protocol-manager'] as const)
      expect(answerSource(usage, { ...plain, ...facts }, silent, body)).toBe('copies');
  });

  it('is copies where the protocol manager would not know all that has a price', () => {
    const by = (api: ApiName, asked = silent, bytes = body): string => answerSource('protocol-manager', { ...plain, api }, asked, bytes);
    expect([by('openai-embeddings'), by('openai-completions'), by('bedrock'), by('other-llm')]).toEqual([
      'copies',
      'copies',
      'copies',
      'copies',
    ]);
    expect([
      by('openai-chat', { audioInputs: 1, audioOutput: false }),
      by('gemini-generate', { audioInputs: 0, audioOutput: true }),
    ]).toEqual(['copies', 'copies']);
    expect(by('anthropic-messages', silent, Buffer.from('{"system":[{"cache_control":{"type":"ephemeral","ttl":"1h"}}]}'))).toBe('copies');
    expect([by('anthropic-messages'), by('openai-responses'), by('gemini-generate')]).toEqual([
      'protocol-manager',
      'protocol-manager',
      'protocol-manager',
    ]);
  });

  it('is chosen where the config is rendered', () => {
    expect(usageModeOf('auto', '1.40', 'unix:/tmp/s.sock')).toBe('collect');
    expect(usageModeOf('auto', '1.36', 'unix:/tmp/s.sock')).toBe('collect');
    expect(usageModeOf('auto', '1.40', 'sluice.svc:9000')).toBe('observe');
    expect(usageModeOf('protocol-manager', '1.40.0', 'sluice.svc:9000')).toBe('protocol-manager');
    expect(() => usageModeOf('protocol-manager', '1.39', 'unix:/tmp/s.sock')).toThrow(/1\.39 has no AI Protocol Manager/);
  });
});

describe("an ending by the protocol manager's word", () => {
  const open = {
    ...plain,
    api: 'anthropic-messages',
    answerBy: 'protocol-manager',
    stream: true,
    usageNotAsked: false,
  } as unknown as OpenExchange;
  const reported: ReportedUsage = { model: 'm', input: 100, output: 50, cachedRead: 30, cacheWrite: 10, reasoning: 20, complete: true };
  const entry: LoggedExchange = {
    id: 'a',
    status: 200,
    cutBy: null,
    contentType: 'text/event-stream',
    contentEncoding: '',
    startedAt: 0,
    firstByteMs: 5,
    totalMs: 9,
    bodyBytes: 4_000,
    collected: null,
    usage: reported,
  };

  it('counts each token once, and knows no finish reason and no first token', () => {
    const { outcome, answer, firstTokenMs, firstByteMs, totalMs } = loggedEnding(open, entry);
    expect(answer?.usage).toMatchObject({
      input: 60,
      cachedRead: 30,
      cacheWrite5m: 10,
      output: 30,
      reasoning: 20,
      totalInput: 100,
      totalOutput: 50,
    });
    expect({ outcome, firstTokenMs, firstByteMs, totalMs, finish: answer?.finishReason, model: answer?.model }).toEqual({
      outcome: 'complete',
      firstTokenMs: null,
      firstByteMs: 5,
      totalMs: 9,
      finish: null,
      model: 'm',
    });
  });

  it.each<readonly [string, Partial<LoggedExchange>, string, string]>([
    ['a part of it only', { usage: { ...reported, complete: false } }, 'partial', 'complete'],
    ['no output', { usage: { ...reported, output: null } }, 'unreadable', 'complete'],
    ['a part larger than its whole', { usage: { ...reported, reasoning: 51 } }, 'unreadable', 'complete'],
    ['nothing', { usage: null }, 'not-sent', 'complete'],
    ['an answer that was cut', { cutBy: 'other' }, 'cut', 'cut'],
    ['a client that left', { cutBy: 'client' }, 'cut', 'client-gone'],
    ['an error', { status: 529, usage: null }, 'error-status', 'provider-error'],
  ])('leaves usage unknown where it tells of %s', (_name, facts, why, outcome) => {
    expect(loggedEnding(open, { ...entry, ...facts })).toMatchObject({ outcome, answer: { usage: null, usageUnknown: why } });
  });

  it('guesses what went by of a stream that was cut by its bytes', () => {
    expect(loggedEnding(open, { ...entry, cutBy: 'client' }).answer?.seen).toEqual({ output: 20, bytes: 4_000, said: null });
    expect(loggedEnding(open, { ...entry, status: 500, cutBy: 'client' }).answer?.seen).toBeUndefined();
  });
});
