import type { Counts } from './load.ts';

/** One line of the drill. */
export interface Row {
  readonly did: string;
  readonly expected: string;
  readonly seen: string;
  readonly ok: boolean;
}

export function connectionRow(did: string, seen: Counts, done: boolean): Row {
  return {
    did,
    expected: '0 refused, 0 failed',
    seen: textOf(seen),
    ok: done && seen.refused === 0 && seen.failed === 0 && seen.requests > 0,
  };
}

export function textOf({ requests, refused, failed, errors, undecided, slowest }: Counts): string {
  const all = requests + refused + failed;
  return `${refused} refused and ${failed} failed of ${all} requests${errors.length === 0 ? '' : ` (${[...new Set(errors)].join(', ')})`}; ${undecided} passed undecided; slowest ${slowest} ms`;
}

/**
 * Blocked prompts before the processes were killed (`from`), while they were gone, and after all had decided again (`to`); ms since 1970.
 * `passes`: none, or what the old process had begun to answer, at most one of each client.
 */
export function blockedRow(did: string, { blocked }: Counts, { from, to }: { from: number; to: number }, passes: 'none' | 'begun'): Row {
  const passed = (list: Counts['blocked']): Counts['blocked'] => list.filter(({ status }) => status === 200);
  const share = (list: Counts['blocked']): string => `${list.length - passed(list).length} of ${list.length}`;
  const before = blocked.filter(({ answered }) => answered < from);
  const after = blocked.filter(({ asked }) => asked > to);
  const meanwhile = blocked.filter(({ answered, asked }) => answered >= from && asked <= to);
  // Without a decision in time a closed policy refuses too, by another status.
  const all = (list: Counts['blocked']): boolean =>
    list.length > 0 && list.every(({ status }) => (passes === 'none' ? status !== 200 : status === 403));
  const begun = passed(meanwhile).every(({ asked }) => asked <= from);
  return {
    did,
    expected: passes === 'none' ? 'none passes, before, meanwhile or after' : 'none passes, but what the old process had begun to answer',
    seen: `not passed: ${share(before)} before, ${share(meanwhile)} in the ${((to - from) / 1_000).toFixed(1)} s meanwhile, ${share(after)} after`,
    ok: all(before) && all(after) && meanwhile.length > 0 && (passes === 'none' ? passed(meanwhile).length === 0 : begun),
  };
}
