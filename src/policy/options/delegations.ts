import { z } from 'zod';
import { settings } from './section.ts';
import { names } from './values.ts';

const settingNames = Object.keys(settings) as (keyof typeof settings)[];

export const delegation = z.strictObject({
  workspaces: names.describe('Its own workspaces: names, or prefixes that end in *'),
  may: z.array(z.enum(settingNames)).min(1).optional().describe('Settings that its sections may write, in place of the usual ones'),
});

export type DelegationDocument = z.infer<typeof delegation>;
