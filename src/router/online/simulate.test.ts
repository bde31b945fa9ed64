import { expect, test } from 'vitest';
import { seeded } from '../training/random.ts';
import { simulate, type SimulatedRow, type SimulationOptions } from './simulate.ts';

/** Twelve templates: on half of them the weak model is as good, on the others it fails at every second; the router sees no difference. */
function rowsOf(seed: number): SimulatedRow[] {
  const random = seeded(seed);
  return Array.from({ length: 3_600 }, (_, at) => {
    const template = at % 12;
    return {
      template: `t${template}`,
      gain: 0.2 + 0.05 * (random() - 0.5),
      uncertainty: 0.15,
      abstain: false,
      weak: random() < (template % 2 === 0 ? 0.9 : 0.45) ? 1 : 0,
      strong: random() < 0.9 ? 1 : 0,
    };
  });
}

const options: SimulationOptions = {
  seeds: 4,
  requests: 8_000,
  warmup: 4_000,
  graded: 0.1,
  grades: 'both',
  maxLoss: 0.03,
  keptLoss: 0.03,
  threshold: 0.18,
  templates: 6,
  shift: false,
};
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('learning saves more than the static router where templates differ and it cannot tell, and keeps the promise', () => {
  const results = simulate(rowsOf(1), options);
  expect(mean(results.map(({ learner }) => learner.weakShare))).toBeGreaterThan(2 * mean(results.map(({ fixedKept }) => fixedKept)));
  expect(mean(results.map(({ learner }) => learner.loss))).toBeLessThan(0.03);
  for (const { graded } of results) expect(graded).toBeCloseTo(0.1, 1);
});

test('the same seeds give the same figures', () => {
  expect(simulate(rowsOf(2), { ...options, seeds: 2, requests: 3_000, grades: 'served' })).toEqual(
    simulate(rowsOf(2), { ...options, seeds: 2, requests: 3_000, grades: 'served' }),
  );
});

test('a shift to other templates is noticed', () => {
  const results = simulate(rowsOf(3), { ...options, shift: true });
  expect(mean(results.map(({ windowsKept }) => windowsKept))).toBeGreaterThan(0.8);
});

test('without grades the router decides as it does alone; grades that speak against it take its requests back', () => {
  const calibrated = { ...options, threshold: 0.2 };
  for (const { learner, fixed } of simulate(rowsOf(4), { ...calibrated, graded: 0 }))
    expect(learner.weakShare).toBeGreaterThan(fixed.weakShare - 0.001);
  const graded = simulate(rowsOf(4), calibrated);
  expect(mean(graded.map(({ fixed }) => fixed.loss))).toBeGreaterThan(0.08);
  expect(mean(graded.map(({ learner }) => learner.loss))).toBeLessThan(0.03);
});

/** Ten templates; the router knows that the weak model is as good on half of them, and is wrong there by `wrong`. */
function knownRows(wrong: number): SimulatedRow[] {
  const random = seeded(6);
  return Array.from({ length: 4_000 }, (_, at) => {
    const easy = at % 2 === 0;
    const lost = easy ? wrong : 0.4;
    return {
      template: `t${at % 10}`,
      gain: (easy ? 0.02 : 0.4) + 0.05 * random(),
      uncertainty: 0.04,
      abstain: false,
      weak: random() < 0.85 - lost ? 1 : 0,
      strong: random() < 0.85 ? 1 : 0,
    };
  });
}

test('grades of the served answer alone leave a router that is right its savings, and take them where it is far off', () => {
  const served: SimulationOptions = { ...options, grades: 'served', graded: 0.05, maxLoss: 0.01, threshold: 0.1, templates: 10 };
  const right = simulate(knownRows(0), served);
  // Half of the graded requests go to the strong model.
  expect(mean(right.map(({ learner, fixed }) => learner.weakShare / fixed.weakShare))).toBeGreaterThan(0.9);
  const off = simulate(knownRows(0.5), served);
  expect(mean(off.map(({ learner, fixed }) => learner.loss / fixed.loss))).toBeLessThan(0.4);
});
