import { afterEach, expect, it, vi } from 'vitest';
import { collect, collectWhenUnused } from './collect.ts';

afterEach(() => vi.useRealTimers());

/** A reference to something that nothing holds. */
function dropped(): WeakRef<object> {
  return new WeakRef({});
}

/** A weak reference lives until the end of the turn that made it. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

it('collects what nothing holds', async () => {
  const reference = dropped();
  await turn();
  collect();
  expect(reference.deref()).toBeUndefined();
});

it('works once, some time after the start, unless there was work since', () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const work = vi.fn();
  collectWhenUnused(() => true, work);
  vi.runAllTimers();
  expect(work).not.toHaveBeenCalled();
  collectWhenUnused(() => false, work);
  expect(work).not.toHaveBeenCalled();
  vi.runAllTimers();
  expect(work).toHaveBeenCalledOnce();
});
