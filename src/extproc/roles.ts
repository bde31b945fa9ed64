import type { FilterRole } from '../attach/names.ts';

/** A filter's role by that metadata. */
export function roleOf(value: string | undefined): FilterRole {
  return value === 'gate' || value === 'next' || value === 'stream' || value === 'shadow' ? value : 'listener';
}
