import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultModelFile, readModel } from '../model/file.ts';
import { apgr, atLoss, atThreshold, calibrationError } from './metrics.ts';
import { readLabelled } from './rows.ts';

const dir = process.env['SLUICE_ROUTING_DATA'];

describe.skipIf(dir === undefined)('the shipped model on rows that it was not trained on', () => {
  test('routes and calibrates as its documentation says', async () => {
    const model = await readModel(defaultModelFile);
    const { rows } = await readLabelled(join(dir!, 'dev.jsonl.gz'));
    const scored = rows
      .map(({ prompt, weak, strong, group }) => ({ ...model.predict(prompt), weak, strong, group }))
      .map((row) => ({ ...row, score: row.gain }));
    expect(apgr(scored)).toBeGreaterThan(0.72);
    expect(calibrationError(scored)).toBeLessThan(0.04);
    // Thresholds chosen on one half of the groups for 2% keep 3% on the other half, in the mean of both halves.
    const half = (side: number): typeof scored => scored.filter(({ group }) => Number.parseInt(group.slice(0, 4), 16) % 2 === side);
    const realised = [0, 1].map((side) => atThreshold(half(1 - side), atLoss(half(side), 0.02).threshold));
    expect((realised[0]!.loss + realised[1]!.loss) / 2).toBeLessThan(0.03);
    expect((realised[0]!.weakShare + realised[1]!.weakShare) / 2).toBeGreaterThan(0.3);
  });
});
