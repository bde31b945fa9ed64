import { show, type Goal, type Table, type Taken } from '../report.ts';

/** Compares the goals of two bench results. Goals that only one of them has are left out. */
export function betweenResults(before: Readonly<Record<string, Taken>>, after: Readonly<Record<string, Taken>>): Table {
  const goalsOf = (result: Readonly<Record<string, Taken>>): Goal[] => Object.values(result).flatMap(({ goals }) => goals);
  const earlier = new Map(goalsOf(before).map((goal) => [goal.what, goal]));
  return {
    header: ['', 'before', 'after', 'after ÷ before'],
    rows: goalsOf(after).flatMap((goal) => {
      const old = earlier.get(goal.what);
      if (old === undefined) return [];
      // The rounds were not run side by side, so the ratio has no range.
      const ratio = goal.measured.median / old.measured.median;
      return [
        [
          `${goal.what}${goal.unit === '' ? '' : `, ${goal.unit}`}`,
          show(old.measured, old.digits),
          show(goal.measured, goal.digits),
          Number.isFinite(ratio) ? ratio.toFixed(2) : '–',
        ],
      ];
    }),
  };
}
