import { z } from 'zod';
import { budgetKeys } from '../budget-types.ts';
import { periodKinds } from '../period.ts';
import { servedMatch } from './served.ts';
import { shape } from './shape.ts';
import { name, tier } from './values.ts';

const percent = z.number().positive().max(100);

export const budget = z.strictObject({
  name,
  match: servedMatch,
  per: z.array(z.enum(budgetKeys)).min(1).optional().describe('The same amount for each; otherwise one for all that matches'),
  period: z.enum(periodKinds).describe('Its length; weeks begin on Monday'),
  zone: z.string().optional().describe('IANA time zone of the calendar; UTC by default'),
  usd: z.number().positive().max(1_000_000).describe('US dollars'),
  soft: z
    .strictObject({
      at: z
        .array(z.number().positive().max(1_000))
        .min(1)
        .max(16)
        .optional()
        .describe('Percent at which messages are sent, once each per period'),
      notify: z.array(name).min(1).optional().describe('Webhooks by name'),
    })
    .optional()
    .describe('Messages'),
  hard: z
    .strictObject({
      cheaper: tier.optional().describe('Before requests are refused, they go to this tier’s candidates'),
      shape: shape.optional().describe('Before requests are refused, what they ask for is capped; see docs/shaping.md'),
      cheaperAt: percent.optional().describe('Percent from which both happen; 90 by default'),
      message: z.string().min(1).max(500).optional().describe('Message in the refusal'),
    })
    .optional()
    .describe('Requests that do not fit are refused; absent: only messages are sent'),
  unknown: z
    .union([z.literal('refuse'), z.number().positive().max(1_000)])
    .optional()
    .describe('Dollars that a request of unknown price counts with, or refuse; 0.05 by default'),
});

export const webhook = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Where messages are posted'),
    urlFile: z.string().min(1).optional().describe('File that holds the URL, for one that is a secret'),
    format: z.enum(['json', 'slack']).optional().describe('json by default; slack for Slack’s incoming webhooks'),
  })
  .refine((value) => (value.url === undefined) !== (value.urlFile === undefined), 'say exactly one of url, urlFile');

export type BudgetDocument = z.infer<typeof budget>;
export type WebhookDocument = z.infer<typeof webhook>;
