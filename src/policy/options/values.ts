import { z } from 'zod';

/* Schemas of values that several options share. */

export const tier = z.enum(['simple', 'standard', 'complex']);

export const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/, 'lower-case letters, digits, dots, dashes')
  .max(63)
  .describe('Its name in records and problems');

export const model = z.string().min(1).max(256).describe('A model of the section’s provider, or provider/model');

export const names = z.array(z.string().min(1).max(128)).min(1);

export const share = z
  .union([z.string().regex(/^(100|\d{1,2}(\.\d+)?)%$/, 'a share such as 5%'), z.number().min(0).max(1)])
  .describe('A share: 5% or 0.05');

export const onOff = z.enum(['on', 'off']);

export const unit = z.enum(['session', 'workspace', 'request']);

/** `2%` or 0.02. */
export function shareOf(value: string | number): number {
  return typeof value === 'number' ? value : Number(value.slice(0, -1)) / 100;
}
