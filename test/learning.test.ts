import { gradeEvent } from './support/grades.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import { LearningHub, type LearningEvent } from '../src/router/online/hub.ts';
import { OnlineLearner } from '../src/router/online/learner.ts';
import { openLearningStream } from '../src/router/online/redis-stream.ts';
import type { LearningSummary } from '../src/router/online/state.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { redisThere, TestRedis } from './support/redis.ts';
import { ScriptedProvider } from './support/scripted-provider.ts';
import { recordOf } from './support/record.ts';

describe('a low grade', () => {
  const provider = new ScriptedProvider();
  let stack: Stack;
  let openai: OpenAI;

  beforeAll(async () => {
    const policy = `
version: 1
providers:
  openai: { endpoint: "${await provider.listen()}" }
defaults:
  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-nano], complex: [openai/gpt-5-nano] }
  learning: {}
`;
    stack = new Stack({ policy, endpoint: null });
    await stack.start();
    openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0 });
  });
  afterAll(async () => {
    await stack.stop();
    await provider.close();
  });

  const ask = async (content: string): Promise<ExchangeRecord> => {
    const { response } = await openai.chat.completions
      .create({
        model: 'gpt-5.1',
        messages: [
          { role: 'system', content: 'You help buyers.' },
          { role: 'user', content },
        ],
      })
      .withResponse();
    return recordOf(stack.adminUrl, response.headers.get('x-sluice-decision'));
  };

  it('keeps the requested model for requests like the one it is about, and shows why', async () => {
    const question = 'Which of these two blenders is quieter at full speed when it crushes ice, and by how many decibels?';
    const first = await ask(question);
    expect([first.servedModel, first.decision?.learning?.why]).toEqual(['gpt-5-nano', 'prior']);
    const graded = await fetch(`${stack.url}/v1/feedback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ decision: first.id, thumbs: 'down', source: 'user' }),
    });
    expect(graded.status).toBe(202);
    const again = await ask(question.replace('quieter', 'louder'));
    expect([again.servedModel, again.decision?.reason, again.decision?.learning?.why]).toEqual(['gpt-5.1', 'kept-upgraded', 'upgrade']);
    expect((await ask('Do you ship to Norway, and what does it cost for a parcel of three kilograms?')).servedModel).toBe('gpt-5-nano');
    const text = await (await fetch(`${stack.adminUrl}/decisions/${again.id}?format=text`)).text();
    expect(text).toContain('an answer to a request like it got a low grade');
    const summary = (await (await fetch(`${stack.adminUrl}/learning`)).json()) as LearningSummary;
    expect(summary.upgrades.map(({ decisionId }) => decisionId)).toEqual([first.id]);
  });
});

describe.skipIf(!redisThere)('replicas on one Redis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-learning-'));
  let redis: TestRedis;
  const hubs: LearningHub[] = [];
  beforeAll(async () => {
    redis = await TestRedis.start();
  });
  afterAll(async () => {
    await Promise.all(hubs.map((hub) => hub.close()));
    await redis.remove();
    rmSync(folder, { recursive: true });
  });

  const replica = async (
    file: string | null,
  ): Promise<{ readonly hub: LearningHub; readonly learner: OnlineLearner; readonly errors: unknown[] }> => {
    const errors: unknown[] = [];
    const learner = new OnlineLearner();
    const stream = openLearningStream({ url: redis.url, passwordFile: null, caFile: null }, (error) => errors.push(error));
    const hub = await LearningHub.open({ learner, file, stream, onError: (error) => errors.push(error) });
    hubs.push(hub);
    return { hub, learner, errors };
  };
  const grade = (score: number): LearningEvent => gradeEvent(score, { upgradeMs: 1e12, upgradeScope: 'template' });

  it('learn the same from the grades of all, and a new one catches up', async () => {
    const file = join(folder, 'state.json');
    const a = await replica(file);
    const b = await replica(null);
    for (const score of [1, 0, 0.5, 1]) (score === 0 ? a : b).hub.publish(grade(score));
    await expect.poll(() => [a.learner.grades, b.learner.grades], { timeout: 10_000 }).toEqual([4, 4]);
    expect(a.learner.state(2_000)).toEqual(b.learner.state(2_000));
    await a.hub.close();
    b.hub.publish(grade(0));
    await expect.poll(() => b.learner.grades, { timeout: 10_000 }).toBe(5);
    // From its file, which has four of them; and from the stream alone.
    const again = await replica(file);
    const late = await replica(null);
    await expect.poll(() => [again.learner.grades, late.learner.grades], { timeout: 10_000 }).toEqual([5, 5]);
    expect(again.learner.state(2_000)).toEqual(b.learner.state(2_000));
    expect(late.learner.state(2_000)).toEqual(b.learner.state(2_000));
  });

  it('say nothing of a Redis that is only being connected to, and once that it is away, however many grades come', async () => {
    const errors: string[] = [];
    const warnings: string[] = [];
    const warned = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', warned);
    const stream = openLearningStream({ url: redis.url, passwordFile: null, caFile: null }, (_error, what) => errors.push(what));
    const seen: unknown[] = [];
    stream.follow('0', (event) => seen.push(event));
    expect(await stream.add({ kind: 'freeze', frozen: false })).toBe(true);
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(errors).toEqual([]);
    stream.close();
    const away = openLearningStream({ url: 'redis://127.0.0.1:1', passwordFile: null, caFile: null }, (_error, what) => errors.push(what));
    expect(await Promise.all(Array.from({ length: 20 }, () => away.add({ kind: 'freeze', frozen: false })))).not.toContain(true);
    away.close();
    process.off('warning', warned);
    expect([errors.length, warnings]).toEqual([1, []]);
  });

  it('learn alone while Redis is away', async () => {
    const lone = await replica(null);
    await expect.poll(() => lone.learner.grades, { timeout: 10_000 }).toBe(5);
    await redis.stop();
    lone.hub.publish(grade(1));
    await expect.poll(() => lone.learner.grades, { timeout: 10_000 }).toBe(6);
    expect(lone.errors.length).toBeGreaterThan(0);
  });
});
