import { z } from 'zod';
import { model, name } from './values.ts';

const sensitivity = z.strictObject({
  name,
  pattern: z.string().min(1).max(2000).describe('A regular expression in RE2 syntax, matched in linear time'),
  ignoreCase: z.boolean().optional().describe('Whether A and a are the same'),
  fold: z
    .boolean()
    .optional()
    .describe(
      'Also look in the text with full-width and other compatibility forms (NFKC) folded and invisible characters left out; true by default',
    ),
  base64: z.boolean().optional().describe('Also search decoded base64 inside the text; false by default'),
  then: z
    .strictObject({
      model: model.optional().describe('Only this model may take it; when it cannot, the request is refused'),
      block: z.string().min(1).max(500).optional().describe('Refuse with this message; with mask: where it cannot be masked'),
      mask: z
        .literal(true)
        .optional()
        .describe('Replace matches by tokens before the request leaves; where that cannot be done, it is refused'),
      restore: z.boolean().optional().describe('With mask: put the originals back into the answer; false by default'),
    })
    .refine((value) => value.restore === undefined || value.mask === true, 'restore goes with mask')
    .refine(
      (value) => [value.model, value.mask ?? value.block].filter((part) => part !== undefined).length === 1,
      'say exactly one of model, mask, block',
    )
    .describe('What happens; exactly one of model, mask, block'),
});

export const sensitivityOption = z
  .array(sensitivity)
  .optional()
  .describe('Patterns in the prompt that send it to a secure model or stop it');
