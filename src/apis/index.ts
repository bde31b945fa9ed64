import { isUtf8 } from 'node:buffer';
import { apis } from './registry.ts';
import { Draft, namesModels } from './scan/draft.ts';
import { JsonCursor, ScanError } from './scan/scan.ts';
import type { BodyMember, PassReason, ReadResult, Recognition } from './types.ts';

export { readAnswer } from './answer.ts';
export { renderError } from './errors.ts';
export { canonicalPath, recognise, recogniseByPath } from './recognise.ts';
export { limitHeaders } from './limit-headers.ts';
export { rewritePath, spliceRequest } from './scan/splice.ts';

/**
 * Reads a whole body in one scan. Never throws: a body that cannot be read is passed through. If `members` is given, each top-level member
 * is added to it, in the body's order.
 */
export function readExchange(
  recognition: Recognition & { readonly kind: 'readable' },
  body: Buffer,
  members: BodyMember[] | null = null,
): ReadResult {
  const { api, operation, pathModel } = recognition;
  const reader = apis[api].request.member;
  if (reader === null) return { ok: false, reason: 'not-rewritable' };
  if (body.length === 0) return { ok: false, reason: 'no-body' };
  if (!isUtf8(body)) return { ok: false, reason: 'invalid-json' };
  const draft = new Draft();
  const cursor = new JsonCursor(body);
  try {
    if (!cursor.isObject()) return { ok: false, reason: 'invalid-json' };
    const bodyOpen = cursor.at + 1;
    cursor.object(readMember, { reader, draft, members });
    cursor.finish();
    if (recognition.stream !== null) draft.stream = recognition.stream;
    const exchange = draft.request(api, operation, body, pathModel, bodyOpen);
    return typeof exchange === 'string' ? { ok: false, reason: exchange } : { ok: true, exchange };
  } catch (error) {
    const reason: PassReason = error instanceof ScanError ? error.fault : 'internal-error';
    return { ok: false, reason };
  }
}

interface Reading {
  readonly reader: (cursor: JsonCursor, draft: Draft, key: string) => void;
  readonly draft: Draft;
  readonly members: BodyMember[] | null;
}

function readMember(key: string, cursor: JsonCursor, { reader, draft, members }: Reading): void {
  cursor.peek();
  const start = cursor.at;
  const { gaps } = cursor;
  if (namesModels(key)) draft.peekModels(cursor);
  reader(cursor, draft, key);
  members?.push({ key, start, end: cursor.at, spaced: cursor.gaps !== gaps });
}
export { shapeEdits } from './shape/edits.ts';
export { planShape } from './shape/plan.ts';
export type { Shape, ShapePlan } from './shape/types.ts';
