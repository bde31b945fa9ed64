import { AdmissionregistrationV1Api, CoreV1Api, setHeaderOptions, type KubeConfig, type V1Secret } from '@kubernetes/client-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../lib/errors.ts';
import { apiFailure, apiStatus, despiteConflicts } from '../client.ts';
import { writeFolder } from './folder.ts';
import type { Pair } from './issue.ts';
import {
  authorityOf,
  bundleOf,
  certificateNames,
  pairOf,
  renewed,
  type CertificateData,
  type CertificateName,
  type Wanted,
} from './renew.ts';

export interface KeeperOptions {
  readonly config: KubeConfig;
  readonly namespace: string;
  /** The Secret that holds CA and certificates; it exists. */
  readonly secret: string;
  /** A Secret of an older chart with a CA (`tls.crt`, `tls.key`), which is taken in place of a new one; null: none. */
  readonly kept: string | null;
  /** Name of the webhook configurations that are to trust the CA; null: none. */
  readonly configurations: string | null;
  readonly wanted: Wanted;
  /** Where `tls.crt`, `tls.key` and `ca.crt` of each certificate go; of egress `added.crt` and `added.key` too, the same where there is none. */
  readonly folders: Readonly<Partial<Record<CertificateName, string>>>;
  readonly onError: (failure: string) => void;
}

/** Interval of looks at the Secret and the configurations, in ms. */
const lookMs = 30_000;
/** How long a start waits for the API server where it has no certificates from before, and between two tries, in ms. */
const startMs = 60_000;
const againMs = 1_000;

/**
 * Keeps the certificates of a release: makes and renews them in its Secret, writes them to this process's folders, and has the webhook
 * configurations trust their CA. Several replicas may do this at once.
 */
export class CertificateKeeper {
  readonly #options: KeeperOptions;
  readonly #core: CoreV1Api;
  readonly #admission: AdmissionregistrationV1Api;
  #looking: NodeJS.Timeout | null = null;
  #failure = '';

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#core = options.config.makeApiClient(CoreV1Api);
    this.#admission = options.config.makeApiClient(AdmissionregistrationV1Api);
  }

  /**
   * Resolves when the folders hold certificates. `present`: they do from an earlier start, which is enough while the API server is away;
   * otherwise rejects with SLUICE_CERTIFICATES if it cannot be asked for a minute.
   */
  async start(present: boolean): Promise<void> {
    for (const begun = performance.now(); !(await this.#look()) && !present; await sleep(againMs))
      if (performance.now() - begun > startMs)
        throw new SluiceError('SLUICE_CERTIFICATES', this.#failure, { where: `${this.#options.namespace}/${this.#options.secret}` });
    this.#looking = setInterval(() => void this.#look(), lookMs);
    this.#looking.unref();
  }

  close(): void {
    if (this.#looking !== null) clearInterval(this.#looking);
  }

  /** Whether it worked. Reports a failure once while it stays the same. */
  async #look(): Promise<boolean> {
    try {
      const data = await this.#renew();
      for (const name of certificateNames) this.#write(name, data);
      await this.#trust(bundleOf(data));
      this.#failure = '';
      return true;
    } catch (error) {
      const failure = apiFailure(error);
      if (failure !== this.#failure) this.#options.onError(failure);
      this.#failure = failure;
      return false;
    }
  }

  /** Another replica may be faster: then what it wrote counts. */
  #renew(): Promise<CertificateData> {
    const { namespace, secret: name, wanted } = this.#options;
    return despiteConflicts(async () => {
      const secret = await this.#core.readNamespacedSecret({ namespace, name });
      const before = decoded(secret);
      const after = await renewed(before, wanted, authorityOf(before, 'ca') === null ? await this.#kept() : null, Date.now());
      if (after === before) return before;
      const data = Object.fromEntries(Object.entries(after).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
      await this.#core.replaceNamespacedSecret({ namespace, name, body: Object.assign(secret, { data }) satisfies V1Secret });
      return after;
    });
  }

  async #kept(): Promise<Pair | null> {
    const { namespace, kept } = this.#options;
    if (kept === null) return null;
    try {
      const { 'tls.crt': crt, 'tls.key': key } = decoded(await this.#core.readNamespacedSecret({ namespace, name: kept }));
      return crt === undefined || key === undefined ? null : pairOf({ 'ca.crt': crt, 'ca.key': key }, 'ca');
    } catch (error) {
      if (apiStatus(error) === 404) return null;
      throw error;
    }
  }

  #write(name: CertificateName, data: CertificateData): void {
    const folder = this.#options.folders[name];
    const pair = pairOf(data, name);
    if (folder === undefined || pair === null) return;
    const added = name === 'egress' ? (pairOf(data, 'added') ?? pair) : null;
    writeFolder(folder, {
      'tls.crt': pair.crt,
      'tls.key': pair.key,
      'ca.crt': bundleOf(data),
      ...(added === null ? {} : { 'added.crt': added.crt, 'added.key': added.key }),
    });
  }

  /** Helm leaves `caBundle` as it is, since the chart does not have it. */
  async #trust(bundle: string): Promise<void> {
    const { configurations: name } = this.#options;
    if (name === null) return;
    const caBundle = Buffer.from(bundle).toString('base64');
    const read = [
      () => this.#admission.readValidatingWebhookConfiguration({ name }),
      () => this.#admission.readMutatingWebhookConfiguration({ name }),
    ];
    for (const [at, each] of read.entries()) {
      const found = await each().catch((error: unknown) => {
        // A release may have one kind alone.
        if (apiStatus(error) === 404) return null;
        throw error;
      });
      const late = found?.webhooks?.filter(({ clientConfig }) => clientConfig.caBundle !== caBundle) ?? [];
      if (late.length === 0) continue;
      const body = { webhooks: late.map((webhook) => ({ name: webhook.name, clientConfig: { caBundle } })) };
      const merge = setHeaderOptions('content-type', 'application/strategic-merge-patch+json');
      if (at === 0) await this.#admission.patchValidatingWebhookConfiguration({ name, body }, merge);
      else await this.#admission.patchMutatingWebhookConfiguration({ name, body }, merge);
    }
  }
}

function decoded({ data }: V1Secret): CertificateData {
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
}
