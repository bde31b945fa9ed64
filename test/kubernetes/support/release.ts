import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { freePorts } from '../../../src/demo/stack.ts';
import { requireEnvoy } from '../../../src/attach/binary.ts';
import { until, type TestCluster } from './cluster.ts';
import { chart, helm, template, type Values } from './helm.ts';
import { entry } from '../../support/entry.ts';

interface Container {
  readonly args: readonly string[];
}

export interface KubeObject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly template: {
      readonly metadata: object;
      readonly spec: {
        readonly volumes: readonly object[];
        readonly initContainers: readonly Container[];
        readonly containers: readonly Container[];
      };
    };
  };
}

/** The objects of a rendered chart. */
export function objectsOf(text: string): KubeObject[] {
  return parseAllDocuments(text).flatMap((document) => (document.contents === null ? [] : [document.toJS() as KubeObject]));
}

/** A gateway release in a cluster without nodes: what its pod would run is run here, with the pod's own arguments and rights. */
export class LocalRelease {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-release-'));
  readonly #cluster: TestCluster;
  #values: Values = {};
  #ports: readonly number[] = [];
  #sluice: ChildProcess | null = null;
  #envoy: ChildProcess | null = null;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** Where apps call. */
  get url(): string {
    return `http://127.0.0.1:${this.#ports[0]!}`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#ports[2]!}`;
  }

  get tlsPort(): number {
    return this.#ports[4]!;
  }

  get webhookPort(): number {
    return this.#ports[5]!;
  }

  /** Installs the release in namespace `llm` and starts its pod's processes. */
  async start(values: Values): Promise<void> {
    this.#ports = await freePorts(7);
    const [port, statusPort, admin, envoyAdmin] = this.#ports;
    this.#values = {
      ...values,
      envoy: { port, statusPort, concurrency: 1 },
      ports: { admin, metrics: this.#ports[6] },
      // Tests run side by side on busy machines: what is late is not undecided there.
      extraArgs: [`--envoy-admin=127.0.0.1:${envoyAdmin!}`, '--max-delay=0'],
    };
    await this.helm('install', values);
    await this.startSluice();
    const { containers } = await this.#pod();
    this.#envoy = spawn(
      await requireEnvoy(),
      [...this.#local(containers[0]!), '--use-dynamic-base-id'].filter((arg) => arg !== '--disable-hot-restart'),
      { stdio: 'ignore' },
    );
    await until(async () => (await fetch(`http://127.0.0.1:${statusPort!}/ready`)).ok, 'Envoy');
  }

  async helm(verb: 'install' | 'upgrade', values: Values): Promise<void> {
    await helm([verb, 'rel', chart, '--namespace', 'llm', '--kubeconfig', this.#cluster.kubeconfig], this.#complete(values));
  }

  async startSluice(): Promise<void> {
    const { initContainers } = await this.#pod();
    const kubeconfig = await this.#cluster.serviceAccountConfig('llm', 'rel-sluice');
    this.#sluice = spawn(process.execPath, [entry, ...this.#local(initContainers[0]!)], {
      stdio: 'ignore',
      env: { ...process.env, KUBECONFIG: kubeconfig },
    });
    await until(async () => (await fetch(`http://127.0.0.1:${this.#ports[2]!}/readyz`)).ok, 'Sluice');
  }

  async killSluice(): Promise<void> {
    const child = this.#sluice;
    await new Promise<void>((resolve) => {
      child?.once('exit', () => resolve());
      child?.kill('SIGKILL');
    });
  }

  stop(): void {
    this.#sluice?.kill('SIGKILL');
    this.#envoy?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #complete(values: Values): Values {
    const of = (key: string): object => values[key] ?? {};
    const egress = of('egress') as { readonly names?: object };
    return {
      ...this.#values,
      ...values,
      webhooks: { ...of('webhooks'), port: this.webhookPort },
      egress: { ...egress, names: { ...egress.names, port: this.tlsPort } },
    };
  }

  async #pod(): Promise<KubeObject['spec']['template']['spec']> {
    return objectsOf(await template(this.#complete(this.#values))).find(({ kind }) => kind === 'Deployment')!.spec.template.spec;
  }

  #local({ args }: Container): string[] {
    return args.map((arg) =>
      arg
        .replaceAll(/\/(run|etc)\/sluice/g, this.folder)
        .replaceAll('0.0.0.0', '127.0.0.1')
        .replace('rel-sluice.llm.svc', 'localhost'),
    );
  }
}
