import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../../../src/demo/stack.ts';
import type { TestMachine } from './machine.ts';
import { TestAuthority } from './pki.ts';
import { findTool } from './tools.ts';

const run = promisify(execFile);

/** Addresses of Services. */
export const serviceRange = '10.96.0.0/16';
/** And of IPv6, on machines that have it. */
export const serviceRange6 = 'fd00:10:96::/112';

/** A real control plane on loopback: etcd and the API server with RBAC and default admission; needs no root. */
export class TestCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-kube-'));
  /** Of a cluster administrator. */
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  readonly pki: TestAuthority;
  #ports: readonly number[] = [];
  #etcd: ChildProcess | null = null;
  #apiServer: ChildProcess | null = null;
  #controllers: ChildProcess | null = null;
  #scheduler: ChildProcess | null = null;

  readonly #machine: TestMachine | null;

  /** `machine`: where it runs, in place of this one; for a cluster with a node. */
  constructor(machine: TestMachine | null = null) {
    this.#machine = machine;
    const binary = findTool('testkube');
    if (binary === null) throw new Error('testkube is missing');
    mkdirSync(join(this.folder, 'pki'));
    this.pki = new TestAuthority(join(this.folder, 'pki'));
    // A single binary that selects its program by the name it is called with.
    for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'kubectl'])
      symlinkSync(binary, join(this.folder, name));
  }

  async start(): Promise<void> {
    this.#ports = await freePorts(3);
    const pki = this.pki;
    pki.certify('apiserver', '/CN=kube-apiserver', ['DNS:localhost', 'DNS:kubernetes.default.svc', `IP:${this.#ip}`, 'IP:10.96.0.1']);
    pki.certify('admin', '/O=system:masters/CN=admin');
    pki.certify('kubelet-client', '/O=system:masters/CN=kube-apiserver-kubelet-client');
    execFileSync('openssl', ['genrsa', '-out', pki.path('sa.key'), '2048'], { stdio: 'pipe' });
    execFileSync('openssl', ['rsa', '-in', pki.path('sa.key'), '-pubout', '-out', pki.path('sa.pub')], { stdio: 'pipe' });
    writeFileSync(this.kubeconfig, this.configOf({ 'client-certificate': pki.path('admin.crt'), 'client-key': pki.path('admin.key') }), {
      mode: 0o600,
    });
    const peer = this.#ports[1];
    const peerUrl = `http://${this.#ip}:${peer!}`;
    this.#etcd = this.spawn('etcd', [
      '--data-dir',
      join(this.folder, 'etcd-data'),
      '--unsafe-no-fsync',
      '--log-level',
      'warn',
      '--listen-client-urls',
      this.#etcdUrl,
      '--advertise-client-urls',
      this.#etcdUrl,
      '--listen-peer-urls',
      peerUrl,
      '--initial-advertise-peer-urls',
      peerUrl,
      '--initial-cluster',
      `default=${peerUrl}`,
    ]);
    await until(async () => (await fetch(`${this.#etcdUrl}/health`)).ok, 'etcd');
    await this.startApiServer();
  }

  get #ip(): string {
    return this.#machine?.ip ?? '127.0.0.1';
  }

  get server(): string {
    return `https://${this.#ip}:${this.#ports[2]!}`;
  }

  get #etcdUrl(): string {
    return `http://${this.#ip}:${this.#ports[0]!}`;
  }

  async startApiServer(): Promise<void> {
    const path = (name: string): string => this.pki.path(name);
    this.#apiServer = this.spawn('kube-apiserver', [
      `--etcd-servers=${this.#etcdUrl}`,
      `--secure-port=${this.#ports[2]!}`,
      `--bind-address=${this.#ip}`,
      `--advertise-address=${this.#ip}`,
      `--endpoint-reconciler-type=${this.#machine === null ? 'none' : 'lease'}`,
      `--service-cluster-ip-range=${this.#machine?.ip6 == null ? serviceRange : `${serviceRange},${serviceRange6}`}`,
      '--authorization-mode=Node,RBAC',
      '--allow-privileged=true',
      '--enable-aggregator-routing=true',
      `--kubelet-client-certificate=${path('kubelet-client.crt')}`,
      `--kubelet-client-key=${path('kubelet-client.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${path('sa.pub')}`,
      `--service-account-signing-key-file=${path('sa.key')}`,
      `--tls-cert-file=${path('apiserver.crt')}`,
      `--tls-private-key-file=${path('apiserver.key')}`,
      `--client-ca-file=${path('ca.crt')}`,
      '--profiling=false',
    ]);
    await until(
      async () => (await this.kubectl('get', '--raw', '/readyz')) === 'ok',
      'the API server',
      () => this.said('kube-apiserver'),
    );
  }

  /** Makes service accounts, endpoints and pods, and puts pods on nodes. Not needed by tests that only look at objects. */
  startControllers(): void {
    const path = (name: string): string => this.pki.path(name);
    this.#controllers = this.spawn('kube-controller-manager', [
      `--kubeconfig=${this.kubeconfig}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--kube-api-qps=500',
      '--kube-api-burst=1000',
      '--use-service-account-credentials',
      `--service-account-private-key-file=${path('sa.key')}`,
      `--root-ca-file=${path('ca.crt')}`,
    ]);
    this.#scheduler = this.spawn('kube-scheduler', [`--kubeconfig=${this.kubeconfig}`, '--leader-elect=false', '--secure-port=0']);
  }

  /** Kills the API server, as in a crash. */
  async killApiServer(): Promise<void> {
    await end(this.#apiServer, 'SIGKILL');
  }

  /** Makes the API server hang: connections stay open without responses. */
  pauseApiServer(): void {
    this.#apiServer?.kill('SIGSTOP');
  }

  resumeApiServer(): void {
    this.#apiServer?.kill('SIGCONT');
  }

  /** Compacts etcd's history: watches from an older version get 410. */
  async compact(): Promise<void> {
    const call = async (path: string, body: object): Promise<{ header: { revision: string } }> =>
      (await (await fetch(`${this.#etcdUrl}${path}`, { method: 'POST', body: JSON.stringify(body) })).json()) as {
        header: { revision: string };
      };
    const { header } = await call('/v3/kv/range', { key: Buffer.from('a').toString('base64') });
    await call('/v3/kv/compaction', { revision: header.revision, physical: true });
  }

  /** kubectl as administrator; resolves with its stdout. */
  async kubectl(...args: readonly string[]): Promise<string> {
    return (await run(join(this.folder, 'kubectl'), ['--kubeconfig', this.kubeconfig, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout;
  }

  /** `kubectl apply` of manifests; resolves with both outputs, warnings among them, and never rejects. */
  async apply(manifests: string, ...args: readonly string[]): Promise<{ readonly ok: boolean; readonly output: string }> {
    return new Promise((resolve) => {
      const child = execFile(
        join(this.folder, 'kubectl'),
        ['--kubeconfig', this.kubeconfig, 'apply', '-f', '-', ...args],
        { maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) => resolve({ ok: error === null, output: `${stdout}${stderr}` }),
      );
      child.stdin?.end(manifests);
    });
  }

  /** The same, which rejects with what the server said. */
  async applied(manifests: string, ...args: readonly string[]): Promise<string> {
    const { ok, output } = await this.apply(manifests, ...args);
    if (!ok) throw new Error(output.slice(-2_000));
    return output;
  }

  /** A kubeconfig of a service account, as a pod would have it. */
  async serviceAccountConfig(namespace: string, name: string): Promise<string> {
    const token = (await this.kubectl('create', 'token', name, '--namespace', namespace)).trim();
    const file = join(this.folder, `${namespace}-${name}.kubeconfig`);
    writeFileSync(file, this.configOf({ token }), { mode: 0o600 });
    return file;
  }

  async stop(): Promise<void> {
    await this.#machine?.stop();
    await end(this.#scheduler, 'SIGKILL');
    await end(this.#controllers, 'SIGKILL');
    await end(this.#apiServer, 'SIGKILL');
    await end(this.#etcd, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A kubeconfig as text. */
  configOf(user: Readonly<Record<string, string>>): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: this.server, 'certificate-authority': this.pki.path('ca.crt') } }],
      users: [{ name: 'user', user }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
      'current-context': 'test',
    });
  }

  /** Runs a part of Kubernetes, or another program by its path, with its log in the folder. */
  spawn(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const log = openSync(join(this.folder, `${basename(name)}.log`), 'a');
    const [command, all] = this.#machine?.enter(resolve(this.folder, name), args) ?? [resolve(this.folder, name), args];
    return spawn(command, all, { stdio: ['ignore', log, log], env: { ...process.env, ...env } });
  }

  /** The last lines of a part's log. */
  said(name: string): string {
    return readFileSync(join(this.folder, `${name}.log`), 'utf8')
      .trim()
      .split('\n')
      .slice(-5)
      .join('\n');
  }
}

/** Tries again until `check` holds; throws after a minute, or `patienceMs`. */
export async function until(
  check: () => Promise<boolean>,
  what: string,
  said: () => string = () => '',
  patienceMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await check().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited for ${what}\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Ends a process and waits until it is gone. */
export async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}
