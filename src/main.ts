import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createAdmin } from './admin/server.ts';
import { loadCatalog } from './catalog/index.ts';
import { GrpcTransport } from './extproc/grpc-transport.ts';
import { Session } from './extproc/session.ts';
import { Credentials } from './pipeline/credentials.ts';
import { Pipeline } from './pipeline/gateway.ts';
import { defaultPolicyFile } from './policy/source.ts';
import { FilePolicyStore } from './policy/store.ts';
import { fanout } from './provenance/fanout.ts';
import { logSink, openLog } from './provenance/log-sink.ts';
import { Metrics } from './provenance/metrics.ts';
import { RecentRecords } from './provenance/recent.ts';

export interface SluiceOptions {
  /** Policy file or folder; null: the embedded policy. */
  readonly policy: string | null;
  /** Catalog file; null: the embedded one. */
  readonly catalog: string | null;
  /** `unix:/path` or `host:port`. */
  readonly listen: string;
  /** `host:port`; port 0: any free one. */
  readonly admin: string;
  /** A file, or `-` for stdout. */
  readonly log: string;
  readonly logLevel: string;
}

export interface Sluice {
  readonly address: string;
  readonly adminUrl: string;
  /** Drains for up to `graceMs`, then writes what is open and stops. */
  close(graceMs: number): Promise<void>;
}

/** How often key files are read again, in ms. */
const credentialRefreshMs = 5_000;

/** Builds and starts one Sluice. Everything is wired here, and nowhere else. Throws SluiceError on what cannot start. */
export async function startSluice(options: SluiceOptions): Promise<Sluice> {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const log = openLog({ level: options.logLevel, path: options.log });
  const { logger } = log;
  const catalog = await loadCatalog(options.catalog ?? undefined);
  const policy = new FilePolicyStore({
    path: options.policy ?? fileURLToPath(defaultPolicyFile),
    catalog,
    watch: options.policy !== null,
    onRuleError: (rule, err) => logger.warn({ rule, err }, 'a rule failed while it was evaluated; it counts as no match'),
  });
  policy.onChange(({ number, hash }) => logger.info({ generation: number, hash }, 'policy changed'));
  policy.onRefusal((problems) => logger.error({ problems }, 'policy edit refused; the last good one stays'));

  const metrics = new Metrics({ version, policy: () => policy.current(), refused: () => policy.lastRefusal() !== null });
  const recent = new RecentRecords();
  const sink = fanout([metrics, recent, logSink(logger)], (err) => logger.error({ err }, 'a record sink failed'));
  const credentials = new Credentials();
  await credentials.refresh(policy.current());
  const rereadKeys = setInterval(() => void credentials.refresh(policy.current()), credentialRefreshMs);
  rereadKeys.unref();
  policy.onChange((generation) => void credentials.refresh(generation));

  const pipeline = new Pipeline({ policy, credentials, sink, metrics, log: logger });
  metrics.watchPending(() => pipeline.pending);
  const transport = new GrpcTransport(() => metrics.protocolEvent('decode-error'));
  let ready = false;
  const admin = createAdmin({ registry: metrics.registry, recent, policyStore: policy, ready: () => ready });
  const colon = options.admin.lastIndexOf(':');
  const adminUrl = `http://${await admin.listen(options.admin.slice(0, colon), Number(options.admin.slice(colon + 1)))}`;
  const address = await transport.listen(options.listen, (stream) => new Session(stream, pipeline, (event) => metrics.protocolEvent(event)));
  ready = true;
  logger.info({ listen: address, admin: adminUrl, version, policy: policy.current().hash, catalog: catalog.version }, 'ready');

  return {
    address,
    adminUrl,
    async close(graceMs) {
      ready = false;
      await transport.drain(graceMs);
      pipeline.close();
      clearInterval(rereadKeys);
      await policy.close();
      await admin.close();
      logger.info('stopped');
      log.flush();
    },
  };
}
