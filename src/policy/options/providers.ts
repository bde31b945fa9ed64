import { z } from 'zod';
import { dialectNames } from '../../apis/registry.ts';

export const provider = z.strictObject({
  dialect: z.enum(dialectNames).optional().describe('Its API'),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Its address, e.g. https://api.openai.com'),
  pathPrefix: z
    .string()
    .regex(/^\/[A-Za-z0-9._-]+$/)
    .optional()
    .describe('Path on the gateway that means this provider'),
  hosts: z.array(z.string().min(1)).optional().describe('Host names that mean this provider'),
  catalog: z.string().optional().describe('Its name in the price catalog; its own name by default'),
  deployments: z.record(z.string(), z.string()).optional().describe('Azure: deployment → model'),
  responses: z.boolean().optional().describe('It has OpenAI’s Responses API; else fallbacks get such requests as chat completions'),
  credentialFile: z.string().optional().describe('File with the gateway’s own key, which other providers’ traffic needs'),
  credentialFiles: z
    .array(z.string().min(1))
    .min(1)
    .max(16)
    .optional()
    .describe('More keys: they share the load, and one that is limited or refused rests'),
  credentialType: z
    .enum(['key', 'bearer'])
    .optional()
    .describe('How that key is sent: key (the default) as the dialect has it, bearer as an OAuth token'),
  signing: z
    .strictObject({
      aws: z
        .strictObject({
          service: z
            .string()
            .regex(/^[a-z0-9-]{1,64}$/)
            .describe('The AWS service, e.g. bedrock'),
          region: z
            .string()
            .regex(/^[a-z0-9-]{1,64}$/)
            .describe('e.g. eu-central-1'),
          credentialsFile: z
            .string()
            .optional()
            .describe('AWS credentials file that Envoy reads; absent: Envoy looks where the AWS SDKs do'),
          profile: z.string().min(1).max(64).optional().describe('Its profile; default by default'),
        })
        .describe('Signature Version 4'),
    })
    .optional()
    .describe('Envoy signs requests to it, in place of any key; see docs/envoy.md'),
});

export type ProviderDocument = z.infer<typeof provider>;
