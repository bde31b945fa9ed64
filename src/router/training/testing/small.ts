import { gainSettings, type FitSettings } from '../fit.ts';
import { seeded } from '../random.ts';
import type { LabelledRow } from '../rows.ts';
import { train, type Trained } from '../train.ts';

/** Two kinds of work: sums, which need the strong model, and notes, which mostly do not. */
function rowsOf(count: number): LabelledRow[] {
  const random = seeded(11);
  return Array.from({ length: count }, (_, at) => {
    const sums = at % 2 === 0;
    const prompt = sums
      ? `A baker sells ${Math.floor(random() * 90)} loaves at $${Math.floor(random() * 9)} each and pays ${Math.floor(random() * 50)} for flour. How much is left?`
      : `Summarise this note for the team: the ${['meeting', 'release', 'audit'][at % 3]!} moved to ${['Monday', 'Friday'][at % 2]!}, thanks.`;
    return {
      id: String(at),
      prompt,
      weak: sums && random() < 0.6 ? 0 : 1,
      strong: 1,
      group: `g${at}`,
      task: `t${at % 4}`,
      category: null,
      source: 'made',
      licence: 'none',
      weakModel: 'w',
      strongModel: 's',
    };
  });
}

export const rows = rowsOf(240);
export const small: FitSettings = { ...gainSettings, seed: 5, trees: 30, forests: 1 };
/** Trains on them in about a second. */
export const trainSmall = (settings: FitSettings): Trained =>
  train({ rows, sha256: 'x' }, { settings, name: 'small', trainedWith: 'test', folds: 2, progress: () => undefined });
