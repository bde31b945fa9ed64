import { fields, indexOf, inOrder, isFields, list, without, type Fields, type Mutable } from '../common/replay-json.ts';

/** Joins a stream's chunks into the answer of the plain method. A whole answer is a stream of one chunk. */
export function contentFromChunks(chunks: readonly Fields[]): Fields {
  let whole: Mutable = {};
  const candidates = new Map<number, Mutable>();
  for (const chunk of chunks) {
    whole = { ...whole, ...without(chunk, 'candidates') };
    for (const entry of chunk['candidates'] === undefined ? [] : list(chunk['candidates'])) {
      const part = fields(entry);
      const index = part['index'] === undefined ? 0 : indexOf(part['index']);
      const before = candidates.get(index);
      const content = isFields(part['content']) ? part['content'] : undefined;
      const parts = [...(isFields(before?.['content']) ? list(before['content']['parts'] ?? []) : []), ...list(content?.['parts'] ?? [])];
      candidates.set(index, {
        ...before,
        ...part,
        content: { ...(isFields(before?.['content']) ? before['content'] : {}), ...content, parts },
      });
    }
  }
  return {
    ...whole,
    candidates: inOrder(candidates).map((candidate) => ({
      ...candidate,
      content: { ...fields(candidate['content']), parts: joinedTexts(list(fields(candidate['content'])['parts'])) },
    })),
  };
}

/** Joins adjacent pieces of plain text, or of thinking. */
function joinedTexts(parts: readonly unknown[]): Fields[] {
  const joined: Mutable[] = [];
  for (const entry of parts) {
    const part = fields(entry);
    const last = joined.at(-1);
    if (last !== undefined && plain(last) && plain(part) && last['thought'] === part['thought'])
      last['text'] = (last['text'] as string) + (part['text'] as string);
    else joined.push({ ...part });
  }
  return joined;
}

function plain(part: Fields): boolean {
  return typeof part['text'] === 'string' && Object.keys(part).every((name) => name === 'text' || name === 'thought');
}
