import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateName } from '../kubernetes/certificates/renew.ts';
import { mergeProviders } from '../policy/providers.ts';
import type { Metrics } from '../record/metrics.ts';
import type { Ground } from './ground.ts';
import type { SluiceOptions } from './options.ts';

/** Validity of a CA that is made, in ms: five years. Its successor is trusted for two years before it signs. */
const authorityMs = 5 * 365 * 86_400_000;

/** Makes and renews the certificates of webhooks and of Envoy's names where that is for Sluice to do, and measures when they end. */
export async function openCertificates({ options, logger, stack }: Ground, metrics: Pick<Metrics, 'watchCertificates'>): Promise<void> {
  const folders = foldersOf(options);
  metrics.watchCertificates(() => endsOf(folders, options.webhook?.egress?.names?.caFile ?? null));
  const { certificates } = options;
  if (certificates === null) return;
  const [{ CertificateKeeper }, { loadKubeConfig }] = await Promise.all([
    import('../kubernetes/certificates/keeper.ts'),
    import('../kubernetes/client.ts'),
  ]);
  const { namespace, name, from, service, configurations, validMs, names } = certificates;
  const hosts = {
    webhook: service === null ? undefined : [service, service.replace(/\.svc$/, '')],
    egress: names.includes('egress') ? options.webhook?.egress?.names?.hosts : undefined,
  };
  // Others fill the other folder.
  const own = Object.fromEntries(Object.entries(folders).filter(([which]) => names.includes(which as CertificateName)));
  const keeper = new CertificateKeeper({
    config: loadKubeConfig(),
    namespace,
    secret: name,
    kept: from,
    configurations,
    wanted: {
      authority: `${name} CA`,
      hosts: Object.fromEntries(Object.entries(hosts).filter(([, list]) => list !== undefined)),
      // Providers that somebody may add to the names: running pods then need no other CA.
      later: [...mergeProviders({}).values()].flatMap(({ endpoint }) => (URL.canParse(endpoint) ? [new URL(endpoint).hostname] : [])),
      certificateMs: validMs,
      authorityMs,
    },
    folders: own,
    onError: (failure) =>
      logger.error({ failure, secret: `${namespace}/${name}` }, 'certificates cannot be kept; those that are there stay'),
  });
  stack.defer(() => keeper.close());
  await keeper.start(Object.values(own).every((folder) => existsSync(join(folder, 'tls.crt'))));
}

function foldersOf({ webhook, envoy }: SluiceOptions): Readonly<Partial<Record<CertificateName, string>>> {
  const egress = envoy?.tls?.folder;
  return { ...(webhook === null ? {} : { webhook: webhook.tls }), ...(egress === undefined ? {} : { egress }) };
}

function endsOf(folders: Readonly<Partial<Record<CertificateName, string>>>, caFile: string | null): Record<string, number> {
  const files = { ...Object.fromEntries(Object.entries(folders).map(([name, folder]) => [name, join(folder, 'tls.crt')])), ca: caFile };
  return Object.fromEntries(
    Object.entries(files).flatMap(([name, file]) => {
      try {
        return file === null ? [] : [[name, Date.parse(new X509Certificate(readFileSync(file)).validTo)]];
      } catch {
        // Not there yet, or no certificate: its end is unknown.
        return [];
      }
    }),
  );
}
