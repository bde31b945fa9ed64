import type { LimitLeft } from './common/limit-headers.ts';
import { apis } from './registry.ts';
import type { ApiName } from './types.ts';

export type { LimitLeft } from './common/limit-headers.ts';

/** The rate-limit headers that an API's SDKs and apps read. */
export function limitHeaders(api: ApiName, left: readonly LimitLeft[], now: number): (readonly [string, string])[] {
  return apis[api].answer.limitHeaders(left, now);
}
