import { z } from 'zod';
import { budgetKeys } from '../budget-types.ts';
import { servedMatch } from './served.ts';
import { name } from './values.ts';

const rateMax = z.int().min(1).max(1_000_000_000_000);

const rateWindows = z
  .strictObject({
    minute: rateMax.optional().describe('In a minute'),
    hour: rateMax.optional().describe('In an hour'),
    day: rateMax.optional().describe('In a day of UTC'),
  })
  .refine((value) => Object.values(value).some((part) => part !== undefined), 'say at least one of minute, hour, day');

export const rateLimit = z
  .strictObject({
    name,
    match: servedMatch,
    per: z.array(z.enum(budgetKeys)).min(1).optional().describe('The same limit for each; otherwise one for all that matches'),
    requests: rateWindows.optional().describe('Requests'),
    tokens: rateWindows.optional().describe('Tokens of prompts and answers together'),
    concurrent: z.int().min(1).max(1_000_000).optional().describe('Requests that are on their way at the same time'),
    unknown: rateMax
      .optional()
      .describe('Tokens counted for a call that is only observed (images, audio, batches, WebSockets …), 1000 by default'),
    mode: z.enum(['hard', 'soft']).optional().describe('soft: requests beyond the limit are counted and go on; hard by default'),
    message: z.string().min(1).max(500).optional().describe('Message in the refusal'),
  })
  .refine(
    ({ requests, tokens, concurrent }) => requests !== undefined || tokens !== undefined || concurrent !== undefined,
    'say at least one of requests, tokens, concurrent',
  );

export type RateLimitDocument = z.infer<typeof rateLimit>;
