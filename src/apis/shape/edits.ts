import { JsonCursor } from '../scan/scan.ts';
import type { ApiName, Span } from '../types.ts';
import type { ShapeChange } from './types.ts';

/** The places of one member: its values, and the objects where it can be added. */
interface Found {
  readonly values: Span[];
  /**
   * The deepest existing object on the path (the last duplicate): where its members begin, whether it is empty, and how many names of the
   * path lead to it. `blank`: the place of a value there that is not an object, as null, which the new object replaces.
   */
  parent: { readonly at: number; readonly empty: boolean; readonly depth: number; readonly blank: Span | null };
}

/**
 * Byte changes of a body, which must be the one that was read. Existing values are replaced, duplicates too; otherwise the member is added.
 */
export function shapeEdits(body: Buffer, api: ApiName, changes: readonly ShapeChange[]): (readonly [Span, Buffer])[] {
  return changes.flatMap(({ path, to }): (readonly [Span, Buffer])[] => {
    const names = path.split('.');
    const { values, parent } = find(
      body,
      names.map((name) => (api === 'gemini-generate' ? [name, snake(name)] : [name])),
    );
    const value = JSON.stringify(to);
    // A number that is not above the cap is kept. If it was not a readable limit, the provider will refuse it.
    if (values.length > 0)
      return values
        .filter(({ start, end }) => typeof to === 'string' || !isAtMost(body.toString('latin1', start, end), to))
        .map((span) => [span, Buffer.from(value)] as const);
    const missing = names.slice(parent.depth + (parent.blank === null ? 0 : 1));
    const member = missing.reduceRight(
      (inner, name) => (inner === '' ? `${JSON.stringify(name)}:${value}` : `${JSON.stringify(name)}:{${inner}}`),
      '',
    );
    if (parent.blank !== null) return [[parent.blank, Buffer.from(`{${member}}`)]];
    return [[{ start: parent.at, end: parent.at }, Buffer.from(parent.empty ? member : `${member},`)]];
  });
}

function isAtMost(text: string, most: number): boolean {
  // -1 lets the model choose its thinking budget.
  return /^-?\d/.test(text) && text !== '-1' && Number(text) <= most;
}

function find(body: Buffer, path: readonly (readonly string[])[]): Found {
  const found: Found = { values: [], parent: { at: 0, empty: true, depth: 0, blank: null } };
  const cursor = new JsonCursor(body);
  const walk = (depth: number): void => {
    cursor.peek();
    const at = cursor.at + 1;
    let empty = true;
    let blank: Span | null = null;
    cursor.object((key) => {
      empty = false;
      if (path[depth]?.includes(key) !== true) {
        cursor.skip();
      } else if (depth === path.length - 1) {
        cursor.peek();
        const start = cursor.at;
        cursor.skip();
        found.values.push({ start, end: cursor.at });
      } else if (cursor.isObject()) {
        blank = null;
        walk(depth + 1);
      } else {
        cursor.peek();
        const start = cursor.at;
        cursor.skip();
        blank = { start, end: cursor.at };
      }
    });
    if (depth >= found.parent.depth || blank !== null) found.parent = { at, empty, depth, blank };
  };
  walk(0);
  return found;
}

/** Gemini's API also accepts its names in this form. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
