import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from './checkpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const scores = (raw: number) => [{ raw, words: 0.25, trees: 0.125, familiarity: 1, certainty: 0.5 }];

test('finished folds survive a crash, a fold that was being written does not', () => {
  const file = join(folder, 'crash');
  const first = openCheckpoint(file, 'run');
  first.put('by group 0', scores(0.1));
  first.put('by group 1', scores(0.2));
  truncateSync(file, readFileSync(file).length - 10);
  const second = openCheckpoint(file, 'run');
  expect(second.get('by group 0')).toEqual(scores(0.1));
  expect(second.get('by group 1')).toBeNull();
  second.put('by group 1', scores(0.3));
  expect(openCheckpoint(file, 'run').get('by group 1')).toEqual(scores(0.3));
  second.remove();
  expect(existsSync(file)).toBe(false);
});

test('other rows or settings begin again, and so does a file that is something else', () => {
  const file = join(folder, 'other');
  openCheckpoint(file, 'run').put('by group 0', scores(0.1));
  expect(openCheckpoint(file, 'another run').get('by group 0')).toBeNull();
  appendFileSync(file, 'not JSON\n');
  expect(openCheckpoint(file, 'another run').get('by group 0')).toBeNull();
  expect(() => openCheckpoint(join(folder, 'nowhere', 'file'), 'run')).toThrow(expect.objectContaining({ code: 'SLUICE_FILE_UNWRITABLE' }));
});
