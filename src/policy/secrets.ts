/** Formats of keys that must never be in a policy: ConfigMaps are readable by many. */
const shapes: readonly (readonly [string, RegExp])[] = [
  // A digit or a long run of letters: words joined by dashes are a name, not a key.
  ['an OpenAI or Anthropic key', /\bsk-(?=[\w-]*\d|[\w-]*[A-Za-z]{20})[\w-]{16,}/g],
  ['a Google API key', /\bAIza[\w-]{30,}/g],
  ['an AWS access key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g],
  ['a GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})/g],
  ['a bearer token', /\bBearer\s+[\w.~+/-]{20,}/g],
  ['a JSON web token', /\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}/g],
  ['a Slack webhook', /\bhttps:\/\/hooks\.slack\.com\/(?:services|workflows)\/[\w/-]{10,}/g],
  // Including what follows: a pattern that matches only the first line is not a secret.
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s|\\n)+[A-Za-z0-9+/=]{16,}/g],
  ['a password in a URL', /\bhttps?:\/\/[^\s/:@]+:[^\s/@]+@/g],
];

/** A long value without spaces under a key that is named like a secret. */
const credential =
  /^[ \t-]*["']?[\w-]*(?:key|secret|token|password|credential(?:file)?)["']?[ \t]*:[ \t]*["']?([\w+/=.-]{20,})["']?[ \t]*$/gim;

/** Bits per character above which a value is not made of words. */
const randomBits = 3.5;

export interface FoundSecret {
  readonly kind: string;
  /** UTF-16 offset. */
  readonly start: number;
  readonly text: string;
}

/** The apparent secrets in a text, by position. Their text is for removing them from messages, never for display. */
export function findSecrets(text: string): FoundSecret[] {
  const found: FoundSecret[] = [];
  for (const [kind, shape] of shapes) {
    for (const match of text.matchAll(shape)) found.push({ kind, start: match.index, text: match[0] });
  }
  for (const match of text.matchAll(credential)) {
    const value = match[1]!;
    // Paths have slashes and words; a base64 value may have a slash too, but no known extension.
    const start = match.index + match[0].indexOf(value);
    const known = found.some((other) => other.start <= start + value.length && start <= other.start + other.text.length);
    if (!known && !/^[./]/.test(value) && /\d/.test(value) && entropy(value) > randomBits)
      found.push({ kind: 'a credential', start, text: value });
  }
  return found.sort((a, b) => a.start - b.start);
}

/** Shannon entropy of a text in bits per character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / text.length) * Math.log2(count / text.length), 0);
}
