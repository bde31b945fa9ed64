/** Parsers for the word lists in this folder. */

/** Words separated by white space. */
export const wordsOf = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** `from=to` pairs separated by commas; `to` may be several words. */
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
