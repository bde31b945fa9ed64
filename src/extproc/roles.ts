import type { FilterRole } from '../attach/names.ts';

/** A filter's role from the value of the role header. */
export function roleOf(value: string | undefined): FilterRole {
  return value === 'gate' || value === 'next' || value === 'stream' || value === 'shadow' ? value : 'listener';
}
