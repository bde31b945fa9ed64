import { afterEach, expect, it } from 'vitest';
import { limits } from '../lib/limits.ts';
import { LoadGate } from './load-gate.ts';

let now = 0;
let admission: LoadGate;
const fresh = (): LoadGate => (admission = new LoadGate(limits.eventLoopLateMs, () => now));
const turn = (late: number): void => {
  now += 20 + late;
  admission.tick();
};

afterEach(() => admission.close());

it('admits while the event loop is in time', () => {
  fresh();
  for (let at = 0; at < 100; at++) turn(limits.eventLoopLateMs - 1);
  expect(admission.admits()).toBe(true);
});

it('sheds while the loop is late, and a little longer', () => {
  fresh();
  turn(limits.eventLoopLateMs + 1);
  expect(admission.admits()).toBe(false);
  for (let at = 0; at < 4; at++) turn(0);
  expect(admission.admits()).toBe(false);
  turn(0);
  expect(admission.admits()).toBe(true);
});

it('sheds what is left of a turn that has lasted too long', () => {
  fresh();
  turn(0);
  now += 20 + limits.eventLoopLateMs;
  expect(admission.admits()).toBe(true);
  now += 1;
  expect(admission.admits()).toBe(false);
});

it('bounds the requests whose body is awaited', () => {
  fresh();
  for (let at = 0; at < limits.openBodies; at++) admission.entered();
  expect(admission.admits()).toBe(false);
  admission.left();
  expect(admission.admits()).toBe(true);
});

it('sheds later where Envoy waits longer, by the policy of the moment', () => {
  let patience = 6;
  admission = new LoadGate(
    limits.eventLoopLateMs,
    () => now,
    () => patience,
  );
  turn(6 * limits.eventLoopLateMs - 1);
  expect(admission.admits()).toBe(true);
  patience = 1;
  turn(limits.eventLoopLateMs + 1);
  expect(admission.admits()).toBe(false);
});

it('does not look at the loop where it shall not', () => {
  admission = new LoadGate(0, () => now);
  turn(60_000);
  expect(admission.admits()).toBe(true);
});
