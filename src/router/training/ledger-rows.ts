import type { Db } from '../../ledger/sqlite/database.ts';
import type { GradeEntry } from '../../ledger/types.ts';
import type { Grade, GradeSource } from '../../grades/types.ts';
import type { ExchangeRecord } from '../../record/types.ts';

/** A row in the format of `train`: the outcomes of the cheaper and the requested model on one prompt. */
interface LedgerRow {
  readonly id: string;
  readonly source: string;
  readonly task: string;
  readonly category: string;
  readonly prompt: string;
  readonly weak_model: string;
  readonly strong_model: string;
  readonly weak_score: number;
  readonly strong_score: number;
}

/** Why a request with two answers makes no row. */
type LeftOut = 'ungraded' | 'prompt' | 'unlike';

export interface LedgerRows {
  readonly rows: readonly LedgerRow[];
  /**
   * `ungraded`: one of the answers has no grade; `prompt`: the prompt was not stored in full; `unlike`: tools, media or earlier turns,
   * which the router does not read.
   */
  readonly leftOut: Readonly<Record<LeftOut, number>>;
}

/** Sources whose grades rate the quality of an answer, the most trusted first; the others only report faults. */
const trusted: readonly GradeSource[] = ['reviewer', 'user', 'app', 'judge'];

interface Pair {
  readonly weak: string;
  readonly strong: string;
  readonly weakScore: number | null;
  readonly strongScore: number | null;
}

/**
 * Training rows from a ledger's exchanges since `from` (ms since the epoch): requests whose answer was verified, and requests that a shadow
 * experiment also sent to another model, if both answers have grades.
 */
export function ledgerRows(db: Db, from: number): LedgerRows {
  const grades = gradesOf(db);
  const shadows = new Map<string, ExchangeRecord[]>();
  const originals: ExchangeRecord[] = [];
  for (const record of recordsOf(db, from)) {
    if (record.shadowOf === undefined) {
      if (grades.has(record.id)) originals.push(record);
    } else shadows.set(record.shadowOf, [...(shadows.get(record.shadowOf) ?? []), record]);
  }
  const rows: LedgerRow[] = [];
  const leftOut = { ungraded: 0, prompt: 0, unlike: 0 };
  for (const record of originals) {
    const pair = verified(record, grades) ?? mirrored(record, shadows.get(record.id) ?? [], grades);
    if (pair === null) continue;
    const row = rowOf(record, pair);
    if (typeof row === 'string') leftOut[row]++;
    else rows.push(row);
  }
  return { rows, leftOut };
}

type Grades = ReadonlyMap<string, readonly Grade[]>;

/** Grades by decision. */
function gradesOf(db: Db): Grades {
  const found = new Map<string, Grade[]>();
  for (const { body } of db.prepare<[], { body: string }>(`SELECT body FROM entries WHERE kind = 'grade' AND body IS NOT NULL`).iterate()) {
    const { grade } = JSON.parse(body) as GradeEntry;
    const list = found.get(grade.decision);
    if (list === undefined) found.set(grade.decision, [grade]);
    else list.push(grade);
  }
  return found;
}

function* recordsOf(db: Db, from: number): Iterable<ExchangeRecord> {
  const rows = db
    .prepare<[number], { body: string }>(`SELECT body FROM entries WHERE kind = 'exchange' AND body IS NOT NULL AND at >= ? ORDER BY at`)
    .iterate(from);
  for (const { body } of rows) yield JSON.parse(body) as ExchangeRecord;
}

/** The newest grade of the most trusted source; null if there is none. */
function scoreOf(id: string, grades: Grades): number | null {
  const list = grades.get(id) ?? [];
  for (const source of trusted) {
    const newest = list.filter((grade) => grade.source === source).sort((a, b) => (a.time < b.time ? 1 : -1))[0];
    if (newest !== undefined) return newest.score;
  }
  return null;
}

/** The verification's scores of the answer and of the requested model's answer. */
function verified({ id, decision, servedModel }: ExchangeRecord, grades: Grades): Pair | null {
  const grade = grades.get(id)?.findLast(({ source, against }) => source === 'verify' && against !== undefined);
  if (grade === undefined || decision === null || servedModel === null) return null;
  return { weak: decision.served.model, strong: decision.requested.model, weakScore: grade.score, strongScore: grade.against! };
}

/** The requested model's answer and another's; either may be the copy. */
function mirrored({ id, decision }: ExchangeRecord, copies: readonly ExchangeRecord[], grades: Grades): Pair | null {
  if (decision === null) return null;
  const { requested, served } = decision;
  const own = served.provider === requested.provider && served.model === requested.model;
  for (const copy of copies) {
    // A copy is sent to one model, and its record names it as the requested one.
    const target = { provider: copy.provider, model: copy.requestedModel };
    if (target.model === null) continue;
    const isRequested = target.provider === requested.provider && target.model === requested.model;
    if (own && !isRequested)
      return { weak: target.model, strong: requested.model, weakScore: scoreOf(copy.id, grades), strongScore: scoreOf(id, grades) };
    if (!own && isRequested)
      return { weak: served.model, strong: requested.model, weakScore: scoreOf(id, grades), strongScore: scoreOf(copy.id, grades) };
  }
  return null;
}

function rowOf({ id, workspace, verdict, request }: ExchangeRecord, { weak, strong, weakScore, strongScore }: Pair): LedgerRow | LeftOut {
  if (weakScore === null || strongScore === null) return 'ungraded';
  const { promptStart, tools, images, asks } = request;
  if ((tools ?? 0) > 0 || (images ?? 0) > 0 || (asks !== null && asks.userTurns > 1)) return 'unlike';
  if (promptStart === null || promptStart === '' || (asks !== null && promptStart.length < asks.userUnits)) return 'prompt';
  return {
    id,
    source: workspace === '' ? 'ledger' : workspace,
    task: verdict?.task ?? 'unknown',
    category: verdict?.domain ?? 'general',
    prompt: promptStart,
    weak_model: weak,
    strong_model: strong,
    weak_score: weakScore,
    strong_score: strongScore,
  };
}
