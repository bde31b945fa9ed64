/** Lists as they are written in the files beside this one. */

/** Words with white space between them. */
export const wordsOf = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** `from=to` with commas between them; `to` may be several words. */
export const pairsOf = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .trim()
      .split(/\s*,\s*/)
      .map((pair) => {
        const [from = '', to = ''] = pair.split('=', 2);
        return [from, to] as const;
      }),
  );
