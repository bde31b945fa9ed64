/** Characters read: enough to detect a language, and cheap for any text. */
const window = 400;

const scripts: readonly (readonly [string, RegExp])[] = [
  ['ja', /[\p{Script=Hiragana}\p{Script=Katakana}]/u],
  ['ko', /\p{Script=Hangul}/u],
  ['zh', /\p{Script=Han}/u],
  ['ru', /\p{Script=Cyrillic}/u],
  ['ar', /\p{Script=Arabic}/u],
  ['hi', /\p{Script=Devanagari}/u],
];

/** Short words that are frequent in one language and rare in the others. */
const common: readonly (readonly [string, string])[] = [
  ['en', 'the is of and what how with to for this write'],
  ['de', 'der die das und ist wie ein eine für nicht mit zwischen von'],
  ['fr', 'le la les des est une pour dans et avec du entre qu'],
  ['es', 'el los las una qué cómo para con del por entre es y'],
];

const tagsOf = new Map<string, number[]>();
for (const [number, [, words]] of common.entries()) {
  for (const word of words.split(' ')) tagsOf.set(word, [...(tagsOf.get(word) ?? []), number]);
}

/** Hits per language in the text that is read. */
const hits = new Uint8Array(common.length);

/** Tokens read: about as much text as the window. */
const mostTokens = 80;

/** BCP-47 primary tag of a text's main language; `und` if it cannot be determined. `tokens`: the text's lower-case words, in order. */
export function languageOf(text: string, tokens: readonly string[]): string {
  if (!asciiOnly(text)) {
    const part = text.slice(0, window);
    for (const [tag, script] of scripts) if (script.test(part)) return tag;
  }
  hits.fill(0);
  for (let i = 0; i < tokens.length && i < mostTokens; i++) {
    const tags = tagsOf.get(tokens[i]!);
    if (tags !== undefined) for (const number of tags) hits[number]!++;
  }
  let best = 'und';
  let most = 0;
  for (let number = 0; number < common.length; number++) {
    if (hits[number]! <= most) continue;
    best = common[number]![0];
    most = hits[number]!;
  }
  return best;
}

function asciiOnly(text: string): boolean {
  for (let at = 0; at < text.length && at < window; at++) if (text.charCodeAt(at) >= 0x80) return false;
  return true;
}
