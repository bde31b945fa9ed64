import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { exchange, generation, input, provider, record, ref } from '../../test/support/decision.ts';
import type { JudgePolicy } from '../policy/types.ts';
import type { AttemptRecord, ExchangeRecord } from '../record/types.ts';
import { GradeBook, newestBySource } from './book.ts';
import { AnswerCopy, checkEnding, checkWhole } from './checks.ts';
import { Judge, type JudgeCall, type JudgeResult } from './judge.ts';
import { questionKey, RegenerateWatch } from './regenerate.ts';
import { takeFeedback } from './request.ts';
import type { Grade, GradedDecision } from './types.ts';

const id = '018bcfe5-6800-7000-8000-000000000001';

function bookOf(find: ((id: string) => Promise<ExchangeRecord | null>) | null = null): {
  readonly book: GradeBook;
  readonly told: (readonly [Grade, GradedDecision])[];
} {
  const told: (readonly [Grade, GradedDecision])[] = [];
  return {
    book: new GradeBook({
      find,
      sinks: [{ observe: (grade, about) => told.push([grade, about]) }],
      onError: (error) => expect(error).toBeNull(),
    }),
    told,
  };
}

describe('the grade book', () => {
  it('tells sinks of every grade and what it is about; one a source is kept', async () => {
    const { book, told } = bookOf();
    book.record(record(input(), { quality: { score: 1, fault: null, depth: 'ending' } }));
    expect(await book.grade(id, 0.2, 'user', 'red')).toBe('accepted');
    expect(await book.grade(id, 0.9, 'user', null)).toBe('accepted');
    expect(told.map(([{ source, score }]) => [source, score])).toEqual([
      ['checks', 1],
      ['user', 0.2],
      ['user', 0.9],
    ]);
    expect(told[0]?.[1]).toEqual({
      id,
      workspace: 'red',
      tier: 'simple',
      provider: 'openai',
      model: 'small',
      requestedProvider: 'openai',
      requestedModel: 'dear',
      policy: '0123456789abcdef',
      arm: null,
      session: null,
      learning: null,
    });
    expect(book.grades(id).map(({ source, score }) => [source, score])).toEqual([
      ['checks', 1],
      ['user', 0.9],
    ]);
  });

  it('knows no decision of another workspace, none that it never saw, and none that had no answer', async () => {
    const { book } = bookOf();
    book.record(record());
    book.record({ ...record(), id: '018bcfe5-6800-7000-8000-000000000002', operation: 'embed' });
    expect(await book.grade(id, 1, 'user', 'blue')).toBe('unknown');
    expect(await book.grade('018bcfe5-6800-7000-8000-000000000002', 1, 'user', null)).toBe('unknown');
    expect(await book.grade('018bcfe5-6800-7000-8000-000000000003', 1, 'user', null)).toBe('unknown');
  });

  it('looks older decisions up', async () => {
    const { book, told } = bookOf((wanted) => Promise.resolve({ ...record(), id: wanted }));
    expect(await book.grade(id, 1, 'reviewer', 'red')).toBe('accepted');
    expect(told).toHaveLength(1);
  });

  it('holds an answer that a chain did not take against the model that gave it', () => {
    const { book, told } = bookOf();
    const failed: AttemptRecord = {
      target: ref('small'),
      status: 200,
      outcome: 'complete',
      reason: 'invalid-json',
      ms: 1,
      cost: { known: true, usd: 0 },
      dropped: [],
    };
    const base = record();
    book.record({
      ...base,
      attempts: [failed, { ...failed, reason: 'reset', target: ref('middle') }, { ...failed, reason: null, target: ref('large') }],
      quality: { score: 1, fault: null, depth: 'whole' },
    });
    expect(told.map(([{ source, score }, { model }]) => [source, score, model])).toEqual([
      ['checks', 1, 'large'],
      ['escalation', 0, 'small'],
    ]);
  });

  it('gives the newest grade of each source', () => {
    const grade = (source: Grade['source'], time: string, score: number): Grade => ({ decision: id, source, time, score });
    expect(
      newestBySource([grade('user', '2026-01-02', 1), grade('judge', '2026-01-01', 0.5), grade('user', '2026-01-01', 0)]).map(
        ({ source, score }) => [source, score],
      ),
    ).toEqual([
      ['user', 1],
      ['judge', 0.5],
    ]);
  });
});

describe('feedback', () => {
  const post = async (body: unknown): Promise<{ readonly status: number; readonly seen: string }> => {
    const { book } = bookOf();
    book.record(record());
    let seen = '';
    const { status } = await takeFeedback(
      book,
      Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      'red',
      (source, result) => (seen = `${source} ${result}`),
    );
    return { status, seen };
  };

  it.each<readonly [unknown, number, string]>([
    [{ decision: id, score: 0.5 }, 202, 'app accepted'],
    [{ decision: id.toUpperCase(), thumbs: 'up', source: 'user' }, 202, 'user accepted'],
    [{ decision: '018bcfe5-6800-7000-8000-00000000000f', thumbs: 'down' }, 404, 'app unknown'],
    [{ decision: id, score: 2 }, 400, 'none invalid'],
    [{ decision: id }, 400, 'none invalid'],
    [{ decision: id, score: 1, thumbs: 'up' }, 400, 'none invalid'],
    [{ decision: id, score: 1, source: 'judge' }, 400, 'none invalid'],
    [{ decision: 'x', score: 1 }, 400, 'none invalid'],
    ['{', 400, 'none invalid'],
    [' '.repeat(5_000), 400, 'none invalid'],
  ])('%j gets %i', async (body, status, seen) => {
    expect(await post(body)).toEqual({ status, seen });
  });
});

describe('checks', () => {
  it('grade how an answer ended', () => {
    expect(checkEnding('stop', null)).toEqual({ score: 1, fault: null, depth: 'ending' });
    expect(checkEnding('MAX_TOKENS', null).fault).toBe('length');
    expect(checkEnding('length', 4_000).fault).toBe('length');
    // An app that wants five tokens gets five.
    expect(checkEnding('length', 5).fault).toBeNull();
    expect(checkEnding('SAFETY', null).fault).toBe('content-filter');
  });

  it('look into whole answers, streamed or not', () => {
    const asked = exchange({ jsonOutput: 'object' });
    const plain = new AnswerCopy(asked, Buffer.from('{}'));
    plain.head(200, 'application/json', '');
    plain.push(Buffer.from(JSON.stringify({ choices: [{ message: { content: 'no json' }, finish_reason: 'stop' }] })));
    expect(checkWhole(plain.take(null)!)).toEqual({ score: 0, fault: 'invalid-json', depth: 'whole' });

    const stream = new AnswerCopy(asked, Buffer.from('{}'));
    stream.head(200, 'text/event-stream', '');
    for (const content of ['{"a"', ':1}'])
      stream.push(Buffer.from(`data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content } }] })}\n\n`));
    stream.push(
      Buffer.from(`data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`),
    );
    expect(checkWhole(stream.take(null)!)).toEqual({ score: 1, fault: null, depth: 'whole' });

    const large = new AnswerCopy(asked, Buffer.from('{}'));
    large.head(200, 'application/json', '');
    large.push(Buffer.alloc(600 * 1024, 32));
    expect(large.take(null)).toBeNull();
  });
});

describe('asking again', () => {
  it('is noticed some seconds after the answer, and not at once, much later, or when there was no answer', () => {
    const watch = new RegenerateWatch();
    const key = questionKey('red', exchange());
    expect(key).not.toBe(questionKey('blue', exchange()));
    expect(watch.asks(key, 'a', 0)).toBeNull();
    watch.answered('a', true, 1_000);
    expect(watch.asks(key, 'b', 1_500)).toBeNull();
    watch.answered('b', true, 2_000);
    expect(watch.asks(key, 'c', 9_000)).toBe('b');
    watch.answered('c', false, 10_000);
    expect(watch.asks(key, 'd', 20_000)).toBeNull();
    watch.answered('d', true, 21_000);
    expect(watch.asks(key, 'e', 21_000 + 11 * 60_000)).toBeNull();
  });
});

describe('the judge', () => {
  let server: Server | null = null;
  afterEach(() => server?.close());

  async function judged(
    reply: unknown,
    policy: Partial<JudgePolicy> = {},
    calls = 1,
  ): Promise<{
    readonly results: (readonly [JudgeResult, number | null])[];
    readonly scores: number[];
    readonly paid: JudgeCall[];
    readonly sent: { readonly auth: string | undefined; readonly body: string }[];
  }> {
    const sent: { auth: string | undefined; body: string }[] = [];
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        sent.push({ auth: request.headers.authorization, body: Buffer.concat(chunks).toString() });
        response.writeHead(reply === null ? 500 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(reply));
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const own = generation({ providers: new Map([['openai', provider('openai', { endpoint })]]) });
    const results: (readonly [JudgeResult, number | null])[] = [];
    const scores: number[] = [];
    const paid: JudgeCall[] = [];
    const judge = new Judge({
      credentials: { swap: () => ({ set: [['authorization', 'Bearer k']], remove: [], file: null }) },
      onGrade: (_id, score) => scores.push(score),
      onResult: (result, usd) => results.push([result, usd]),
      onCall: (call) => paid.push(call),
    });
    for (let i = 0; i < calls; i++) {
      judge.offer(
        { target: ref('large'), share: 1, maxUsdPerDay: 1, timeoutMs: 2_000, ...policy },
        own,
        {
          id,
          workspace: 'support',
          section: 'defaults',
          mode: 'enabled',
          prompt: { system: 's', context: '', lastUser: 'What is 1 + 1?' },
        },
        { text: '2', toolArguments: [], refused: false, filtered: false, cutOff: false },
      );
    }
    await expect.poll(() => results.length).toBe(calls);
    judge.close();
    return { results, scores, sent, paid };
  }
  const says = (content: string): object => ({
    choices: [{ message: { content } }],
    usage: { prompt_tokens: 1_000, completion_tokens: 100 },
  });

  it('turns its 0 to 10 into a grade, pays, and is sent the question and the answer', async () => {
    const { results, scores, sent } = await judged(says('```json\n{"score": 7.5}\n```'));
    expect(scores).toEqual([0.75]);
    // 1,100 tokens at 10 dollars a million.
    expect(results).toEqual([['graded', 0.011]]);
    expect(sent[0]?.auth).toBe('Bearer k');
    expect(JSON.parse(sent[0]!.body)).toMatchObject({
      model: 'large',
      messages: [
        { role: 'system' },
        { role: 'user', content: JSON.stringify({ system: 's', context: '', lastUser: 'What is 1 + 1?', answer: '2' }) },
      ],
    });
  });

  it('gives no grade where it says none, or fails', async () => {
    expect((await judged(says('I think it is good.'))).results).toEqual([['unreadable', 0.011]]);
    expect((await judged(null)).results).toEqual([['failed', null]]);
  });

  it('stops at its budget, also of calls under way', async () => {
    // A call is reckoned with about $0.0065 before it is made.
    const { results, sent } = await judged(says('{"score": 1}'), { maxUsdPerDay: 0.012 }, 4);
    expect(sent).toHaveLength(1);
    expect(results.filter(([result]) => result === 'budget')).toHaveLength(3);
  });

  it('draws the same answers for the same share', () => {
    expect(Judge.draws('018bcfe5-6800-7000-8000-0000000000ff', 0.01)).toBe(true);
    expect(Judge.draws('018bcfe5-6800-7000-8000-ffffffffffff', 0.99)).toBe(false);
    expect(Judge.draws('018bcfe5-6800-7000-8000-ffffffffffff', 1)).toBe(true);
  });
});
