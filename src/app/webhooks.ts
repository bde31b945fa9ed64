import { readFileSync } from 'node:fs';
import { missingKeyFiles } from '../exchange/credentials.ts';
import type { KubernetesPolicyStore } from '../kubernetes/policy-store.ts';
import type { WebhookServer } from '../kubernetes/webhook-server.ts';
import type { Metrics } from '../record/metrics.ts';
import type { RecentRecords } from '../record/recent.ts';
import type { Ground } from './ground.ts';

/** The API server's admission webhooks; null if none are configured. */
export async function openWebhooks(
  { options, logger, stack }: Ground,
  policy: KubernetesPolicyStore | null,
  recent: RecentRecords,
  metrics: Pick<Metrics, 'egressPod'>,
): Promise<WebhookServer | null> {
  if (options.webhook === null) return null;
  const { listen, tls, egress, sidecar } = options.webhook;
  const [{ startWebhooks }, { effectOf }, { ExtraCas }] = await Promise.all([
    import('../kubernetes/webhook-server.ts'),
    import('../kubernetes/policy-effect.ts'),
    import('../kubernetes/extra-cas.ts'),
  ]);
  const names = egress?.names ?? null;
  const extra = names === null ? null : new ExtraCas(names.extraCaFiles, (failure) => logger.error({ failure }, 'further CAs for pods'));
  const webhooks = await startWebhooks({
    listen,
    tls,
    sidecar,
    policy:
      policy === null
        ? null
        : { policies: policy, effect: (after) => effectOf(recent, policy.current(), after, Date.now()), missingKeys: missingKeyFiles },
    // Read on each use: the CA may be renewed, as the certificate may.
    egress:
      egress === null
        ? null
        : {
            ...egress,
            names:
              names === null
                ? null
                : {
                    hosts: names.hosts,
                    image: names.image,
                    pullSecrets: names.pullSecrets,
                    get ca() {
                      return `${readFileSync(names.caFile, 'utf8').trim()}\n${extra?.current() ?? ''}`.trim();
                    },
                  },
          },
    onPod: (mode, result) => metrics.egressPod(mode, result),
    onError: (failure) => logger.error({ failure }, 'a webhook failed'),
  });
  stack.defer(() => webhooks.close());
  return webhooks;
}
