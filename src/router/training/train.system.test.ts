import { beforeAll, describe, expect, test } from 'vitest';
import type { RawScore } from './fit.ts';
import { rows, small, trainSmall } from './testing/small.ts';
import { train, type Trained } from './train.ts';

let trained: Trained;
beforeAll(() => {
  trained = trainSmall(small);
});

describe('a training', () => {
  test('is the same, byte for byte, for the same rows and seed', () => {
    expect(trainSmall(small).bytes.equals(trained.bytes)).toBe(true);
    expect(trainSmall({ ...small, seed: 6 }).bytes.equals(trained.bytes)).toBe(false);
  });

  test('goes on from the folds that an interrupted run had finished, to the same bytes', () => {
    const kept = new Map<string, readonly RawScore[]>();
    const store = {
      get: (fold: string) => kept.get(fold) ?? null,
      put: (fold: string, scores: readonly RawScore[]) => void kept.set(fold, scores),
    };
    const options = { settings: small, name: 'small', trainedWith: 'test', folds: 2, checkpoint: store };
    let folds = 0;
    const crash = (): void => {
      if (++folds === 2) throw new Error('crash');
    };
    expect(() =>
      train({ rows, sha256: 'x' }, { ...options, progress: (message) => (message.includes('fold') ? crash() : undefined) }),
    ).toThrow('crash');
    expect(kept.size).toBe(2);
    expect(train({ rows, sha256: 'x' }, { ...options, progress: () => undefined }).bytes.equals(trained.bytes)).toBe(true);
  });
});
