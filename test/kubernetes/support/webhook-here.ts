import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TestCluster } from './cluster.ts';
import { template, type Values } from './helm.ts';
import { TestAuthority } from './pki.ts';
import { objectsOf, type LocalRelease } from './release.ts';

interface WebhookConfiguration {
  readonly webhooks: { readonly clientConfig: { readonly service: { readonly path: string } } }[];
}

/**
 * The chart's webhook configurations once more, calling this machine by address; those that helm made call a Service that has no pods here.
 * Gives their number.
 */
export async function pointHere(cluster: TestCluster, release: LocalRelease, values: Values, ca: string): Promise<number> {
  const made = objectsOf(await template(values)).filter(({ kind }) => kind.endsWith('WebhookConfiguration')) as unknown as (object &
    WebhookConfiguration)[];
  const caBundle = readFileSync(ca).toString('base64');
  const here = made.map(({ webhooks, ...rest }) => ({
    ...rest,
    metadata: { name: 'here' },
    webhooks: webhooks.map((webhook) => ({
      ...webhook,
      clientConfig: { url: `https://localhost:${release.webhookPort}${webhook.clientConfig.service.path}`, caBundle },
    })),
  }));
  await cluster.applied(here.map((each) => `---\n${stringify(each)}`).join(''));
  return made.length;
}

/** A certificate for localhost, of a CA of its own, where a Sluice with `webhooks.existingSecret` reads it. Gives the CA's file. */
export function certify(cluster: TestCluster, release: LocalRelease, name: string): string {
  const folder = join(cluster.folder, name);
  mkdirSync(folder);
  mkdirSync(join(release.folder, 'webhook'), { recursive: true });
  const authority = new TestAuthority(folder);
  authority.certify('server', '/CN=localhost', ['DNS:localhost']);
  for (const end of ['key', 'crt']) copyFileSync(authority.path(`server.${end}`), join(release.folder, 'webhook', `tls.${end}`));
  return authority.path('ca.crt');
}
