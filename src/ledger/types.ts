import type { Grade } from '../grades/types.ts';
import type { ExchangeRecord } from '../record/types.ts';

/** Kind of a ledger row. `exchange` contains a record, `grade` a grade of its answer; the others are about the ledger itself. */
export type EntryKind = 'exchange' | 'grade' | 'open' | 'close' | 'gap' | 'erase' | 'prune';

/** The parts of a record that queries filter and group by. Null if unknown or absent. */
export interface LedgerColumns {
  readonly id: string;
  readonly workspace: string;
  /** The user's hash. */
  readonly user: string | null;
  readonly api: string | null;
  readonly requested_provider: string | null;
  readonly requested_model: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly tier: string | null;
  readonly reason: string | null;
  readonly rule: string | null;
  readonly outcome: string;
  readonly status: number | null;
  readonly cache: string;
  readonly policy: string;
  readonly attempts: number;
  /** US dollars; null if unknown. */
  readonly cost: number | null;
  readonly baseline: number | null;
  readonly savings: number | null;
  /** Why the cost is unknown; null if it is known. */
  readonly unknown: string | null;
  /** Tokens; null if unknown. */
  readonly input: number | null;
  readonly output: number | null;
  readonly score: number | null;
  /** Milliseconds. */
  readonly overhead: number;
  readonly ttft: number | null;
  readonly latency: number | null;
  /** The provider's id of its answer, the app's id of its request, and the trace id. Null in rows older than these columns. */
  readonly response_id: string | null;
  readonly request_id: string | null;
  readonly trace: string | null;
}

type StorageType = 'text' | 'whole' | 'real';

/** How a column is stored, and its value in a record. */
interface Column<Value> {
  readonly type: StorageType;
  readonly of: (record: ExchangeRecord) => Value;
}

const text = <Value extends string | null>(of: (record: ExchangeRecord) => Value): Column<Value> => ({ type: 'text', of });
const whole = <Value extends number | null>(of: (record: ExchangeRecord) => Value): Column<Value> => ({ type: 'whole', of });
const real = <Value extends number | null>(of: (record: ExchangeRecord) => Value): Column<Value> => ({ type: 'real', of });

/** The columns in the order in which they are stored. */
const columns: { readonly [Name in keyof LedgerColumns]: Column<LedgerColumns[Name]> } = {
  id: text(({ id }) => id),
  workspace: text(({ workspace }) => workspace),
  // Records older than this field have none.
  user: text((record) => (record as Partial<ExchangeRecord>).user ?? null),
  api: text(({ api }) => api),
  requested_provider: text(({ provider }) => provider),
  requested_model: text(({ requestedModel }) => requestedModel),
  provider: text(providerOf),
  model: text(({ servedModel }) => servedModel),
  tier: text(({ decision }) => decision?.tier ?? null),
  reason: text(({ decision, passReason }) => decision?.reason ?? passReason),
  rule: text(({ decision }) => decision?.rule ?? null),
  outcome: text(({ outcome }) => outcome),
  status: whole(({ status }) => status),
  cache: text(({ cache }) => cache),
  policy: text(({ policy }) => policy.hash),
  attempts: whole(({ attempts }) => attempts.length),
  cost: real(({ cost }) => (cost.known ? cost.usd : null)),
  baseline: real(({ baseline }) => (baseline.known ? baseline.usd : null)),
  savings: real(({ savings }) => (savings.known ? savings.usd : null)),
  unknown: text(({ cost }) => (cost.known ? null : cost.reason)),
  input: whole(({ usage }) => usage?.totalInput ?? null),
  output: whole(({ usage }) => usage?.totalOutput ?? null),
  score: real(({ verdict }) => verdict?.score ?? null),
  overhead: real(({ timing }) => timing.overheadMs),
  ttft: real(({ timing }) => timing.firstTokenMs),
  latency: real(({ timing }) => timing.totalMs),
  response_id: text(({ responseId }) => responseId ?? null),
  request_id: text(({ requestId }) => requestId ?? null),
  trace: text(({ traceId }) => traceId ?? null),
};

/** Names of the columns in the order in which they are stored. */
export const columnNames = Object.keys(columns) as readonly (keyof LedgerColumns)[];

/** Storage type of each column. */
export const columnTypes = Object.fromEntries(columnNames.map((name) => [name, columns[name].type])) as Readonly<
  Record<keyof LedgerColumns, StorageType>
>;

/** Columns by which other systems' ids find a record; each has an index. */
export const joinColumns = ['response_id', 'request_id', 'trace'] as const satisfies readonly (keyof LedgerColumns)[];

/** The columns of a record; pure, so that `verify` can derive them again and detect changes. */
export function columnsOf(record: ExchangeRecord): LedgerColumns {
  return Object.fromEntries(columnNames.map((name) => [name, columns[name].of(record)])) as unknown as LedgerColumns;
}

const readers = columnNames.map((name) => columns[name].of);

/** Writes the columns of a record into `values` from `at` on, in their order. */
export function putColumns(record: ExchangeRecord, values: (string | number | null)[], at: number): void {
  for (let index = 0; index < readers.length; index++) values[at + index] = readers[index]!(record);
}

/**
 * A value as a database stores it: text in UTF-8 and without NUL, which PostgreSQL refuses, and counts as whole numbers. Callers choose
 * names of models and ids; one of them must not stop the ledger.
 */
export function stored(name: keyof LedgerColumns, value: string | number | null): string | number | null {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\u0000', '\uFFFD');
  return typeof value === 'number' && columnTypes[name] === 'whole' ? Math.trunc(value) : value;
}

/** The provider that answered, or was asked last; null if none was. */
function providerOf(record: ExchangeRecord): string | null {
  const chosen = record.decision?.served.provider ?? record.provider;
  // Columns of existing rows never change: earlier versions stored the chosen provider, whichever one answered.
  if (record.traceId === undefined) return chosen;
  if (record.outcome === 'blocked' || record.outcome === 'not-cached') return null;
  return record.cacheEntry?.target.provider ?? record.attempts.at(-1)?.target.provider ?? chosen;
}

/** A grade with the workspace of its decision. */
export interface GradeEntry {
  readonly grade: Grade;
  readonly workspace: string;
}

/** The columns of a grade: its decision's id and workspace, so that both are found and erased together. */
export function gradeColumns({ grade, workspace }: GradeEntry): Pick<LedgerColumns, 'id' | 'workspace'> {
  return { id: grade.decision, workspace };
}

/** The body of a writer's own entries, as JSON. */
export interface OpenEntry {
  readonly writer: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** The ends of the other writers' chains, which reveals a chain that was cut or removed. */
  readonly heads: readonly ChainHead[];
  /** Absent in entries of earlier versions. */
  readonly settled?: SettledHead;
  /** Hours whose sums were taken over from a ledger that did not include them in its chain: they cannot be verified. */
  readonly adopted?: number;
}

export interface ChainHead {
  readonly writer: string;
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
}

/** Missing records: dropped here under overload, or never written by another writer that ended without closing. */
export type GapEntry =
  | { readonly cause: 'overload'; readonly dropped: number }
  | { readonly cause: 'killed'; readonly writer: string; readonly afterSeq: number; readonly lastAt: string };

/** The head of the settled sums after this entry. Changes are numbered from 1, without gaps. */
export interface SettledHead {
  readonly n: number;
  /** SHA-256 of all of them, hex. */
  readonly root: string;
  /** Sums of hours before this time were removed as too old; ms since the epoch. */
  readonly since: number;
}

/** Rows whose content was erased: sequence numbers by writer. */
export interface EraseEntry {
  readonly reason: string;
  /** Absent in entries of earlier versions. */
  readonly settled?: SettledHead;
  readonly rows: readonly { readonly writer: string; readonly seqs: readonly number[] }[];
  /** In ClickHouse: the name of the removal, by which one that was killed is finished. */
  readonly run?: string;
}

/** The last rows removed as too old: the remaining chains continue from their hashes. */
export interface PruneEntry {
  readonly removed: readonly ChainHead[];
  /** Absent in entries of earlier versions. */
  readonly settled?: SettledHead;
  /** The ends of other writers' chains, as in `OpenEntry`: a signature after this entry covers them too. */
  readonly heads?: readonly ChainHead[];
}

/** The end of a chain at one moment, signed if there is a key. */
export interface Checkpoint {
  readonly writer: string;
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
  /** ISO 8601. */
  readonly at: string;
  /** Ed25519 over `writer seq hash at`, base64; null if unsigned. */
  readonly signature: string | null;
}

/** A chain that was begun and that nobody writes at the moment: all that another thread needs to continue it. */
export interface RestingChain {
  readonly id: string;
  /** The writer's number in its file. */
  readonly n: number;
  readonly seq: number;
  readonly hash: Uint8Array;
  /** The ends of other chains that its rows have recorded. */
  readonly said: readonly (readonly [writer: string, seq: number])[];
  /** Whether the ledger held exchanges when the chain was begun. */
  readonly hasExchanges: boolean;
  /** Time of the oldest row and of the oldest sum, in ms since the epoch; Infinity if there is none. */
  readonly oldestRow: number;
  readonly oldestSum: number;
}
