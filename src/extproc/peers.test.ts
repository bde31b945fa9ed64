import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Peers } from './peers.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('an Envoy is gone when it has had no connection for three seconds, and not when it has come back before', () => {
  const gone: string[] = [];
  const peers = new Peers((peer) => gone.push(peer));
  for (const peer of ['a', 'a', 'b']) peers.connected(peer);
  peers.disconnected('a');
  vi.advanceTimersByTime(10_000);
  peers.disconnected('a');
  vi.advanceTimersByTime(2_900);
  peers.connected('a');
  vi.advanceTimersByTime(10_000);
  expect(gone).toEqual([]);
  peers.disconnected('a');
  vi.advanceTimersByTime(2_900);
  expect(gone).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(gone).toEqual(['a']);
  peers.disconnected('b');
  peers.close();
  vi.advanceTimersByTime(10_000);
  expect(gone).toEqual(['a']);
});
