import { limits } from '../lib/limits.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { RecentRecords } from '../record/recent.ts';
import { Replay, type Move, type ReplayReport } from '../replay/replay.ts';

/** Kinds of moves listed individually; the rest is summed up. */
const named = 4;

/** Below these no daily figure is given: too few requests, or too short a time. */
const leastRequests = 20;
const leastWindowMs = 60_000;
const dayMs = 86_400_000;

/** Records between two pauses: a few hundred microseconds. */
const batch = 32;

export type EffectReport = Pick<ReplayReport, 'replayed' | 'skipped' | 'moved' | 'moves' | 'cost'>;

/** How an edit would have changed the last requests, as lines of text. Pauses regularly so that waiting requests can be served. */
export async function effectOf(
  recent: Pick<RecentRecords, 'list'>,
  before: PolicySnapshot,
  after: PolicySnapshot,
  now: number,
): Promise<string[]> {
  const records = recent.list({ limit: limits.replayedBeforeEdit });
  const replay = new Replay(after, before);
  for (const [index, record] of records.entries()) {
    if (index % batch === batch - 1) await new Promise((resolve) => setImmediate(resolve));
    replay.add(record);
  }
  const oldest = records.at(-1);
  return describeEffect(replay.report(), oldest === undefined ? 0 : now - Date.parse(oldest.time));
}

/** The lines of a report on requests of the last `windowMs`. */
export function describeEffect({ replayed, skipped, moved, moves, cost }: EffectReport, windowMs: number): string[] {
  const untouched = (skipped['policy-off'] ?? 0) + (skipped['unknown-provider'] ?? 0);
  const all = replayed + untouched;
  if (all === 0) return ['effect: this replica has decided no request yet, so nothing can be said about what the edit changes.'];
  const last = `the last ${count(all)} requests of this replica`;
  if (moved === 0 && untouched === 0) return [`effect: none of ${last} would go elsewhere.`];
  const lines = moves.slice(0, named).map((move) => `effect: ${share(move.requests, all)} of ${last} ${action(move)}.`);
  const rest = moved - moves.slice(0, named).reduce((total, { requests }) => total + requests, 0);
  if (rest > 0) lines.push(`effect: ${share(rest, all)} would go elsewhere in other ways.`);
  if (untouched > 0) lines.push(`effect: ${share(untouched, all)} of ${last} would pass without a decision.`);
  return [...lines, ...money(cost, all >= leastRequests && windowMs >= leastWindowMs ? dayMs / windowMs : null)];
}

function action({ from, to }: Move): string {
  if (to === 'refused') return `would be refused (now ${from})`;
  if (from === 'refused') return `would be answered by ${to} (now refused)`;
  return `would move from ${from} to ${to}`;
}

function money({ compared, unknown, beforeUsd, afterUsd }: ReplayReport['cost'], perDay: number | null): string[] {
  const missing = unknown === 0 ? '' : `; ${count(unknown)} more have no known cost`;
  if (compared === 0) return unknown === 0 ? [] : ['effect: what that costs is unknown.'];
  const more = afterUsd - beforeUsd;
  return [
    `effect: about ${perDay === null ? `${dollars(more)} in all` : `${dollars(more * perDay)} a day`} by the usage of ${count(compared)} requests${missing}.`,
  ];
}

function share(part: number, whole: number): string {
  const percent = (part / whole) * 100;
  return `${percent < 1 ? percent.toFixed(1) : Math.round(percent)}%`;
}

function dollars(usd: number): string {
  const size = Math.abs(usd);
  const digits = size >= 10 ? 0 : size >= 0.01 ? 2 : 6;
  return `${usd < 0 ? '-' : '+'}$${size.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
