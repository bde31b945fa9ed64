import type { FilterRole } from './types.ts';

/** The gRPC metadata in which a filter says its role; the listener's say none. */
export const roleHeader = 'x-sluice-filter';

/** A filter's role by that metadata. */
export function roleOf(value: string | undefined): FilterRole {
  return value === 'gate' || value === 'next' || value === 'stream' || value === 'shadow' ? value : 'listener';
}
