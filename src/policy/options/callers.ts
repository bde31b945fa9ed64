import { z } from 'zod';
import { name } from './values.ts';

const belief = z.enum(['all', 'trusted', 'gateway', 'nobody']);

const callerValues = z.array(z.string().min(1).max(512)).min(1).max(1_000);

const template = z.string().min(1).max(128);

const callerSigns = {
  header: z
    .record(z.string().min(1).max(128), callerValues)
    .optional()
    .describe('Values of headers that a component before Sluice sets, so that apps cannot'),
  principal: callerValues.optional().describe('A URI, DNS name or subject of the client certificate; or a prefix that ends in *'),
  namespace: callerValues.optional().describe('The Kubernetes namespace in its SPIFFE id; or a prefix that ends in *'),
  claims: z
    .record(z.string().min(1).max(256), callerValues)
    .optional()
    .describe('Values in the dynamic metadata of Envoy’s JWT and external authorization filters, by path'),
};

const oneSign = 'say at least one condition';

const anySign = (value: object): boolean => Object.values(value).some((part) => part !== undefined);

export const callers = z.strictObject({
  believe: z
    .strictObject({
      route: belief.optional().describe('x-sluice-route: off'),
      quality: belief.optional().describe('x-sluice-quality'),
      task: belief.optional().describe('x-sluice-task'),
      session: belief.optional().describe('x-sluice-session, the other headers that name a conversation, and its name in the body'),
      cache: belief.optional().describe('x-sluice-cache, cache-control'),
      user: belief.optional().describe('The headers of workspaces.userHeaders, and the user in the body'),
      userTier: belief.optional().describe('x-sluice-user-tier'),
      workspace: belief.optional().describe('The headers of workspaces.headers'),
    })
    .optional()
    .describe(
      'Whose claims are believed; all by default. trusted: of callers that trust lists; gateway: of all, since something before Sluice sets the header and removes what apps send; nobody',
    ),
  identify: z
    .array(
      z
        .strictObject({
          name,
          when: z.strictObject(callerSigns).refine(anySign, oneSign).describe('All conditions must hold'),
          workspace: template.optional().describe('Its workspace, whatever the caller claims'),
          user: template.optional().describe('Its user, whatever the caller claims; only a hash is kept'),
          userTier: template.optional().describe('Its user tier, whatever the caller claims'),
        })
        .refine(
          ({ workspace, user, userTier }) => workspace !== undefined || user !== undefined || userTier !== undefined,
          'say at least one of workspace, user, userTier',
        ),
    )
    .max(100)
    .optional()
    .describe(
      'Who callers are, by what Envoy knows of them; the first that holds. {namespace}, {principal} and {claims.PATH} are filled in',
    ),
  trust: z
    .array(
      z.strictObject({
        name,
        when: z
          .strictObject({
            workspace: callerValues
              .optional()
              .describe('Workspaces that identify sets or a gateway vouches for: names, or prefixes that end in *'),
            ...callerSigns,
          })
          .refine(anySign, oneSign)
          .describe('All conditions must hold'),
      }),
    )
    .max(100)
    .optional()
    .describe('Callers whose word counts; one that holds is enough'),
});

export type CallersDocument = z.infer<typeof callers>;
