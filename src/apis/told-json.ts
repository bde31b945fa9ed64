import { JsonCursor } from './scan/scan.ts';

/** The member of `metadata` that holds a decision's id. */
const member = 'sluice_decision';

/** A JSON object with the decision's id in its member `metadata`. Returned unchanged if it is no object, or if `metadata` is no map. */
export function toldJson(body: Buffer, id: string): Buffer {
  const told = JSON.stringify({ [member]: id });
  try {
    const cursor = new JsonCursor(body);
    if (!cursor.isObject()) return body;
    const open = cursor.at + 1;
    let found: { readonly start: number; readonly end: number } | null = null;
    let members = 0;
    cursor.object((key) => {
      members++;
      cursor.peek();
      const start = cursor.at;
      cursor.skip();
      if (key === 'metadata') found = { start, end: cursor.at };
    });
    cursor.finish();
    if (found === null) return put(body, open, open, `"metadata":${told}${members === 0 ? '' : ','}`);
    const { start, end } = found as { readonly start: number; readonly end: number };
    const old: unknown = JSON.parse(body.toString('utf8', start, end));
    if (old === null) return put(body, start, end, told);
    if (typeof old !== 'object' || Array.isArray(old)) return body;
    return put(body, start, end, JSON.stringify({ ...old, [member]: id }));
  } catch {
    return body;
  }
}

function put(body: Buffer, start: number, end: number, text: string): Buffer {
  return Buffer.concat([body.subarray(0, start), Buffer.from(text), body.subarray(end)]);
}
