import type { Grade } from '../grades/types.ts';
import type { ExchangeRecord } from '../record/types.ts';

/** What a row of the ledger is about. `exchange` holds a record, `grade` an opinion on its answer; the rest tell of the ledger itself. */
export type EntryKind = 'exchange' | 'grade' | 'open' | 'close' | 'gap' | 'erase' | 'prune';

/** The parts of a record that queries filter and group by. Null: unknown, or not said. */
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
  /** US dollars; null: unknown. */
  readonly cost: number | null;
  readonly baseline: number | null;
  readonly savings: number | null;
  /** Why the cost is unknown; null: it is known. */
  readonly unknown: string | null;
  /** Tokens; null: unknown. */
  readonly input: number | null;
  readonly output: number | null;
  readonly score: number | null;
  /** Milliseconds. */
  readonly overhead: number;
  readonly ttft: number | null;
  readonly latency: number | null;
  /** The provider's id of its answer, the app's of its request, and the trace. Null in rows of before there were these columns. */
  readonly response_id: string | null;
  readonly request_id: string | null;
  readonly trace: string | null;
}

/** Names of the columns in the order in which they are stored. */
export const columnNames = [
  'id',
  'workspace',
  'user',
  'api',
  'requested_provider',
  'requested_model',
  'provider',
  'model',
  'tier',
  'reason',
  'rule',
  'outcome',
  'status',
  'cache',
  'policy',
  'attempts',
  'cost',
  'baseline',
  'savings',
  'unknown',
  'input',
  'output',
  'score',
  'overhead',
  'ttft',
  'latency',
  'response_id',
  'request_id',
  'trace',
] as const satisfies readonly (keyof LedgerColumns)[];

const whole: ReadonlySet<keyof LedgerColumns> = new Set<keyof LedgerColumns>(['status', 'attempts', 'input', 'output']);
const real: ReadonlySet<keyof LedgerColumns> = new Set<keyof LedgerColumns>([
  'cost',
  'baseline',
  'savings',
  'score',
  'overhead',
  'ttft',
  'latency',
]);

/** What a database keeps a column as. */
export const columnTypes = Object.fromEntries(
  columnNames.map((name) => [name, whole.has(name) ? 'whole' : real.has(name) ? 'real' : 'text']),
) as Readonly<Record<keyof LedgerColumns, 'text' | 'whole' | 'real'>>;

/** Columns by which other systems' ids find a record; each has an index. */
export const joinColumns = ['response_id', 'request_id', 'trace'] as const satisfies readonly (keyof LedgerColumns)[];

/** The columns of a record; pure, so that `verify` can derive them again and find an altered one. */
export function columnsOf(record: ExchangeRecord): LedgerColumns {
  const { decision, cost, baseline, savings, usage, verdict, timing } = record;
  return {
    id: record.id,
    workspace: record.workspace,
    // Records of before there were users have none.
    user: (record as Partial<ExchangeRecord>).user ?? null,
    api: record.api,
    requested_provider: record.provider,
    requested_model: record.requestedModel,
    provider: providerOf(record),
    model: record.servedModel,
    tier: decision?.tier ?? null,
    reason: decision?.reason ?? record.passReason,
    rule: decision?.rule ?? null,
    outcome: record.outcome,
    status: record.status,
    cache: record.cache,
    policy: record.policy.hash,
    attempts: record.attempts.length,
    cost: cost.known ? cost.usd : null,
    baseline: baseline.known ? baseline.usd : null,
    savings: savings.known ? savings.usd : null,
    unknown: cost.known ? null : cost.reason,
    input: usage?.totalInput ?? null,
    output: usage?.totalOutput ?? null,
    score: verdict?.score ?? null,
    overhead: timing.overheadMs,
    ttft: timing.firstTokenMs,
    latency: timing.totalMs,
    response_id: record.responseId ?? null,
    request_id: record.requestId ?? null,
    trace: record.traceId ?? null,
  };
}

/** Who answered, or was asked last; null: nobody was. */
function providerOf(record: ExchangeRecord): string | null {
  const chosen = record.decision?.served.provider ?? record.provider;
  // Columns of rows that are written are never changed: earlier versions named the provider that was chosen, whoever answered.
  if (record.traceId === undefined) return chosen;
  if (record.outcome === 'blocked' || record.outcome === 'not-cached') return null;
  return record.cacheEntry?.target.provider ?? record.attempts.at(-1)?.target.provider ?? chosen;
}

/** A grade with the workspace of the decision that it is about. */
export interface GradeEntry {
  readonly grade: Grade;
  readonly workspace: string;
}

/** The columns of a grade: its decision's id and workspace, so that both are found, and erased, together. */
export function gradeColumns({ grade, workspace }: GradeEntry): Pick<LedgerColumns, 'id' | 'workspace'> {
  return { id: grade.decision, workspace };
}

/** What a writer's own entries say, as JSON in their body. */
export interface OpenEntry {
  readonly writer: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** Where the other writers' chains stood: a chain that is cut or gone altogether is missed here. */
  readonly heads: readonly ChainHead[];
  /** Absent in entries of earlier versions. */
  readonly settled?: SettledHead;
  /** Hours whose sums were taken over from a ledger that did not tie them to its chain: nothing shows that they are right. */
  readonly adopted?: number;
}

export interface ChainHead {
  readonly writer: string;
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
}

/** Records that are missing: dropped here under overload, or never written by another writer that ended without closing. */
export type GapEntry =
  | { readonly cause: 'overload'; readonly dropped: number }
  | { readonly cause: 'killed'; readonly writer: string; readonly afterSeq: number; readonly lastAt: string };

/** Where the sums of exchanges without rows stand after this entry. Changes are counted from 1, without a gap. */
export interface SettledHead {
  readonly n: number;
  /** SHA-256 of all of them, hex. */
  readonly root: string;
  /** Sums of hours before were removed because they were old; ms since the epoch. */
  readonly since: number;
}

/** Rows whose content was erased: by writer, sequence numbers. */
export interface EraseEntry {
  readonly reason: string;
  /** Absent in entries of earlier versions. */
  readonly settled?: SettledHead;
  readonly rows: readonly { readonly writer: string; readonly seqs: readonly number[] }[];
}

/** The last rows that were removed because they were old: at their hashes the chains' rests go on. */
export interface PruneEntry {
  readonly removed: readonly ChainHead[];
  /** Absent in entries of earlier versions. */
  readonly settled?: SettledHead;
  /** Where other writers' chains stood, as in `OpenEntry`: a signature after this entry covers them too. */
  readonly heads?: readonly ChainHead[];
}

/** The end of a chain at one moment, signed where there is a key. */
export interface Checkpoint {
  readonly writer: string;
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
  /** ISO 8601. */
  readonly at: string;
  /** Ed25519 over `writer seq hash at`, base64; null: unsigned. */
  readonly signature: string | null;
}
