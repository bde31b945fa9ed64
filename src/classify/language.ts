/** Characters looked at: enough to tell a language, cheap for any text. */
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
const common: readonly (readonly [string, RegExp])[] = [
  ['en', /\b(?:the|is|of|and|what|how|with|to|for|this|write)\b/g],
  ['de', /\b(?:der|die|das|und|ist|wie|ein|eine|für|nicht|mit|zwischen|von)\b/g],
  ['fr', /\b(?:le|la|les|des|est|une|pour|dans|et|avec|du|entre|qu)\b/g],
  ['es', /\b(?:el|los|las|una|qué|cómo|para|con|del|por|entre|es|y)\b/g],
];

/** BCP-47 primary tag of a text's main language; `und` when nothing tells. */
export function languageOf(text: string): string {
  const part = text.slice(0, window);
  for (const [tag, script] of scripts) if (script.test(part)) return tag;
  const lower = part.toLowerCase();
  let best = 'und';
  let most = 0;
  for (const [tag, words] of common) {
    const hits = lower.match(words)?.length ?? 0;
    if (hits > most) {
      best = tag;
      most = hits;
    }
  }
  return best;
}
