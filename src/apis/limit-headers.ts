import type { LimitLeft } from './common/limit-headers.ts';
import { apis } from './registry.ts';
import type { ApiName } from './types.ts';

export type { LimitLeft } from './common/limit-headers.ts';

/** The headers by which SDKs and apps of an API read rate limits. */
export function limitHeaders(api: ApiName, left: readonly LimitLeft[], now: number): (readonly [string, string])[] {
  return apis[api].answer.limitHeaders(left, now);
}
