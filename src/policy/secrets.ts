/** Shapes of keys that must never stand in a policy: ConfigMaps are readable by many. */
const shapes: readonly (readonly [string, RegExp])[] = [
  ['an OpenAI or Anthropic key', /\bsk-[A-Za-z0-9_-]{16,}/],
  ['a Google API key', /\bAIza[A-Za-z0-9_-]{30,}/],
  ['an AWS access key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['a GitHub token', /\bgh[pousr]_[A-Za-z0-9]{30,}/],
  ['a bearer token', /\bBearer\s+[A-Za-z0-9._~+/-]{20,}/],
  ['a JSON web token', /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}/],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
];

/** What kind of secret a text holds, never the secret itself; null when none is seen. */
export function secretIn(text: string): string | null {
  for (const [kind, shape] of shapes) if (shape.test(text)) return kind;
  return null;
}
