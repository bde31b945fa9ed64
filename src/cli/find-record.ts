import { z } from 'zod';
import { linesOfFile } from '../lib/lines.ts';
import { SluiceError } from '../lib/errors.ts';
import type { Grade } from '../grades/types.ts';
import { shownPlace } from '../ledger/backends.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { askAdmin } from './ask-admin.ts';
import { withReader } from './open-ledger.ts';

const cost = z.union([z.object({ known: z.literal(true), usd: z.number() }), z.object({ known: z.literal(false), reason: z.string() })]);

/** Checks as much of a record's shape as explaining it needs; a line of another kind or version does not match. */
const recordShape = z.looseObject({
  id: z.string(),
  time: z.string(),
  verdict: z
    .looseObject({ score: z.number(), confidence: z.number(), signals: z.array(z.looseObject({ name: z.string(), share: z.number() })) })
    .nullable(),
  decision: z
    .looseObject({
      served: z.looseObject({}),
      candidates: z.array(z.looseObject({ target: z.looseObject({}), tier: z.string(), estimate: cost })),
      baselineEstimate: cost,
    })
    .nullable(),
  policy: z.looseObject({ number: z.number(), hash: z.string() }),
  usage: z.looseObject({ totalInput: z.number(), totalOutput: z.number() }).nullable(),
  cost,
  baseline: cost,
  savings: cost,
  timing: z.looseObject({ overheadMs: z.number() }),
});

/** A record with the known grades of its answer; absent if there are none or no server was asked. */
export type GradedRecord = ExchangeRecord & { readonly grades?: readonly Grade[] };

/** Finds the record in a JSON-lines log whose id is `id`, or begins with it if only one does. Throws SluiceError. */
export async function findInLog(file: string, id: string): Promise<ExchangeRecord> {
  const needle = id.toLowerCase();
  let found: ExchangeRecord | null = null;
  for await (const line of linesOfFile(file)) {
    // Parsing every line of a long log would take minutes, so only lines that contain the id are parsed.
    if (!line.includes(needle) && !line.includes(id)) continue;
    const record = recordIn(line);
    const joined = record !== null && (record.responseId === id || record.requestId === id || record.traceId === id);
    if (record === null || !(joined || record.id.startsWith(needle))) continue;
    if (record.id === needle) return record;
    if (found !== null && found.id !== record.id)
      throw new SluiceError(
        'SLUICE_EXPLAIN_AMBIGUOUS',
        `${found.id} and ${record.id} both begin with ${needle}, or have it as another's id.`,
        { where: file },
      );
    found = record;
  }
  if (found === null) throw new SluiceError('SLUICE_EXPLAIN_UNKNOWN', `no decision ${id}.`, { where: file });
  return found;
}

/** Finds the record in a ledger whose id is `id`, or begins with it if only one does. Throws SluiceError. */
export async function findInLedger(place: string, id: string): Promise<GradedRecord> {
  const record = await withReader(place, async (ledger) => {
    const found = await ledger.record(id);
    return found === null ? null : { ...found, grades: await ledger.grades(found.id) };
  });
  if (record === null) throw new SluiceError('SLUICE_EXPLAIN_UNKNOWN', `no decision ${id}.`, { where: shownPlace(place) });
  return record;
}

/** Queries a running server's admin address. Throws SluiceError. */
export async function fetchDecision(admin: string, id: string): Promise<GradedRecord> {
  const value = await askAdmin(admin, `/decisions/${encodeURIComponent(id)}`, {
    refusal: (status) => (status === 404 ? 'SLUICE_EXPLAIN_UNKNOWN' : undefined),
  });
  const record = checked(value);
  if (record === null)
    throw new SluiceError('SLUICE_ADMIN', 'it answered with no decision.', {
      where: admin,
      fix: 'Is it a Sluice of this version? Check --admin.',
    });
  return record;
}

function recordIn(line: string): ExchangeRecord | null {
  try {
    const entry = JSON.parse(line) as { readonly msg?: unknown; readonly record?: unknown } | null;
    return entry?.msg === 'exchange' ? checked(entry.record) : null;
  } catch {
    return null;
  }
}

function checked(value: unknown): ExchangeRecord | null {
  return recordShape.safeParse(value).success ? (value as ExchangeRecord) : null;
}
