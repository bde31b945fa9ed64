import { fields } from './usage.ts';
import { limits } from '../../lib/limits.ts';

/** How providers say it in words: "Please retry in 38.9s", "try again in 1m30.5s", "try again in 240ms". */
const inWords = /(?:retry|try again) (?:in|after) (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(ms|s))?/i;

/**
 * Milliseconds after which a request may be repeated, as the body of a 429 or 503 says it: Google's RetryInfo, or the message. Null if it
 * says nothing. For providers that send no `retry-after`.
 */
export function retryDelayIn(body: Buffer): number | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  const outer = fields(Array.isArray(parsed) ? (parsed as readonly unknown[])[0] : parsed);
  const error = fields(outer['error']);
  const details = Array.isArray(error['details']) ? (error['details'] as readonly unknown[]) : [];
  for (const detail of details) {
    const { retryDelay } = fields(detail);
    const seconds = typeof retryDelay === 'string' ? /^(\d+(?:\.\d+)?)s$/.exec(retryDelay)?.[1] : undefined;
    if (seconds !== undefined) return Number(seconds) * 1000;
  }
  const message = error['message'] ?? outer['message'];
  return typeof message === 'string' ? spoken(message.slice(0, limits.refusalBytes)) : null;
}

function spoken(message: string): number | null {
  const [, hours, minutes, rest, unit] = inWords.exec(message) ?? [];
  if (hours === undefined && minutes === undefined && rest === undefined) return null;
  return (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000 + Number(rest ?? 0) * (unit === 'ms' ? 1 : 1000);
}
