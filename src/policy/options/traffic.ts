import { z } from 'zod';
import { name } from './values.ts';

/** What else happens to requests and answers, whoever answers them. */
export const traffic = {
  streamUsage: z
    .enum(['ask', 'enforce', 'leave'])
    .optional()
    .describe(
      'ask adds stream_options.include_usage to OpenAI streams that do not say, and takes the chunk out again that the app did not ask for; enforce: also where the app wants none or switches routing off',
    ),
  inAnswer: z
    .strictObject({
      decision: z.boolean().optional().describe('The decision’s id: in metadata of a JSON answer, as a comment of a stream'),
      cost: z
        .boolean()
        .optional()
        .describe('The cost in US dollars: in the header x-sluice-cost of a JSON answer, as a comment at the end of a stream'),
    })
    .optional()
    .describe('What answers tell their app'),
  credentials: z.enum(['app', 'gateway']).optional().describe('The key of requests to the app’s own provider; app by default'),
  keys: z
    .record(name, z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(16)]))
    .optional()
    .describe('Files with keys for this section alone, by provider'),
  websockets: z
    .enum(['allow', 'refuse'])
    .optional()
    .describe(
      'Whether WebSockets (Realtime, Responses, Gemini Live), which are not read, may pass; refused by default where failClosed or a sensitivity pattern holds',
    ),
  prompts: z
    .strictObject({
      capture: z.enum(['hash', 'truncate', 'none']).describe('A SHA-256, the first characters, or nothing'),
      units: z.int().min(1).max(4096).optional().describe('Characters kept by truncate'),
    })
    .optional()
    .describe('What the record keeps of the prompt'),
};
