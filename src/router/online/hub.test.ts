import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { gradeEvent, learningMark } from '../../../test/support/grades.ts';
import { LearningHub, type LearningEvent } from './hub.ts';
import { OnlineLearner } from './learner.ts';
import { defaultLearning } from './settings.ts';
import { learningSink } from './sink.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-learning-'));
afterAll(() => rmSync(folder, { recursive: true }));

const grade = (score: number): LearningEvent => gradeEvent(score);
const open = (file: string, errors: unknown[] = []): Promise<{ hub: LearningHub; learner: OnlineLearner }> => {
  const learner = new OnlineLearner();
  return LearningHub.open({ learner, file, stream: null, onError: (error) => errors.push(error) }).then((hub) => ({ hub, learner }));
};

test('what was learnt outlives the process', async () => {
  const file = join(folder, 'state.json');
  const first = await open(file);
  for (const score of [1, 1, 0]) first.hub.publish(grade(score));
  first.hub.publish({ kind: 'freeze', frozen: true });
  const kept = first.learner.state(1_500);
  await first.hub.close();
  const second = await open(file);
  expect(second.learner.grades).toBe(3);
  expect(second.learner.frozen).toBe(true);
  // What had expired when the file was written is not in it.
  expect(second.learner.state(1_500)).toEqual({ ...kept, upgrades: [] });
  await second.hub.close();
});

test('of a file of the earlier format upgrades are kept, and beliefs begin again', async () => {
  const file = join(folder, 'earlier.json');
  const upgrade = { workspace: 'w', template: 't', near: null, until: 9_000, decisionId: 'd' };
  writeFileSync(
    file,
    JSON.stringify({
      cursor: '7-0',
      state: {
        format: 1,
        frozen: true,
        grades: 3,
        pairs: [{ workspace: 'w', pair: { weak: 'a', strong: 'b' }, templates: [] }],
        upgrades: [upgrade],
      },
    }),
  );
  const { hub, learner } = await open(file);
  expect(learner.state(1_000)).toEqual({ format: 2, frozen: true, grades: 0, pairs: [], upgrades: [upgrade] });
  await hub.close();
});

test('a damaged file stops the start and is left alone; a folder that cannot be written is told', async () => {
  const file = join(folder, 'damaged.json');
  writeFileSync(file, '{"cursor":"0","state":{}}');
  await expect(open(file)).rejects.toMatchObject({ code: 'SLUICE_LEARNING_STATE' });
  expect(readFileSync(file, 'utf8')).toBe('{"cursor":"0","state":{}}');
  const errors: unknown[] = [];
  const { hub } = await open(join(folder, 'no', 'such', 'folder'), errors);
  hub.publish(grade(1));
  await hub.close();
  expect(errors).toHaveLength(1);
});

test('grades reach learning with their mark; those that only tell of faults upgrade and teach nothing else', () => {
  const events: LearningEvent[] = [];
  const sink = learningSink({ publish: (event) => events.push(event) }, (workspace) => (workspace === 'off' ? null : defaultLearning));
  const about = {
    id: 'd',
    workspace: 'w',
    tier: 'simple',
    provider: 'p',
    model: 'small',
    requestedProvider: 'p',
    requestedModel: 'large',
    policy: 'p',
    arm: null,
    session: null,
    learning: learningMark,
  } as const;
  const given = { decision: 'd', time: '2026-11-20T00:00:00.000Z', score: 0.5 } as const;
  sink.observe({ ...given, source: 'user' }, about);
  sink.observe({ ...given, source: 'checks' }, about);
  sink.observe({ ...given, source: 'user' }, { ...about, learning: null });
  sink.observe({ ...given, source: 'user' }, { ...about, workspace: 'off' });
  expect(
    events.map((event) => event.kind === 'grade' && [event.grade.model, event.grade.requested, event.grade.weight, event.grade.time]),
  ).toEqual([
    ['p/small', 'p/large', 1, Date.parse(given.time)],
    ['p/small', 'p/large', 0, Date.parse(given.time)],
  ]);
});
