import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../../../src/demo/stack.ts';
import { TestAuthority } from './pki.ts';
import { findTool } from './tools.ts';

const run = promisify(execFile);

/** A real control plane on loopback: etcd and the API server with RBAC and default admission; needs no root. */
export class TestCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-kube-'));
  /** Of a cluster administrator. */
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  readonly #pki: TestAuthority;
  #ports: readonly number[] = [];
  #etcd: ChildProcess | null = null;
  #apiServer: ChildProcess | null = null;
  #controllers: ChildProcess | null = null;

  constructor() {
    const binary = findTool('testkube');
    if (binary === null) throw new Error('testkube is missing');
    mkdirSync(join(this.folder, 'pki'));
    this.#pki = new TestAuthority(join(this.folder, 'pki'));
    // One binary, which looks at the name that it is called by.
    for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl']) symlinkSync(binary, join(this.folder, name));
  }

  async start(): Promise<void> {
    this.#ports = await freePorts(3);
    const pki = this.#pki;
    pki.certify('apiserver', '/CN=kube-apiserver', ['DNS:localhost', 'DNS:kubernetes.default.svc', 'IP:127.0.0.1', 'IP:10.96.0.1']);
    pki.certify('admin', '/O=system:masters/CN=admin');
    execFileSync('openssl', ['genrsa', '-out', pki.path('sa.key'), '2048'], { stdio: 'pipe' });
    execFileSync('openssl', ['rsa', '-in', pki.path('sa.key'), '-pubout', '-out', pki.path('sa.pub')], { stdio: 'pipe' });
    writeFileSync(this.kubeconfig, this.#configOf({ 'client-certificate': pki.path('admin.crt'), 'client-key': pki.path('admin.key') }), { mode: 0o600 });
    const [client, peer] = this.#ports;
    const peerUrl = `http://127.0.0.1:${peer!}`;
    this.#etcd = this.#spawn('etcd', ['--data-dir', join(this.folder, 'etcd-data'), '--unsafe-no-fsync', '--log-level', 'warn', '--listen-client-urls', this.#etcdUrl, '--advertise-client-urls', this.#etcdUrl, '--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`]);
    await until(async () => (await fetch(`http://127.0.0.1:${client!}/health`)).ok, 'etcd');
    await this.startApiServer();
  }

  get server(): string {
    return `https://127.0.0.1:${this.#ports[2]!}`;
  }

  get #etcdUrl(): string {
    return `http://127.0.0.1:${this.#ports[0]!}`;
  }

  async startApiServer(): Promise<void> {
    const path = (name: string): string => this.#pki.path(name);
    this.#apiServer = this.#spawn('kube-apiserver', [
      `--etcd-servers=${this.#etcdUrl}`, `--secure-port=${this.#ports[2]!}`, '--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', '--endpoint-reconciler-type=none',
      '--service-cluster-ip-range=10.96.0.0/16', '--authorization-mode=RBAC', '--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${path('sa.pub')}`,
      `--service-account-signing-key-file=${path('sa.key')}`, `--tls-cert-file=${path('apiserver.crt')}`, `--tls-private-key-file=${path('apiserver.key')}`, `--client-ca-file=${path('ca.crt')}`, '--profiling=false',
    ]);
    await until(async () => (await this.kubectl('get', '--raw', '/readyz')) === 'ok', 'the API server', () => this.#said('kube-apiserver'));
  }

  /** Makes service accounts for namespaces and sees to deployments. Not needed by tests that make no pods. */
  startControllers(): void {
    const path = (name: string): string => this.#pki.path(name);
    this.#controllers = this.#spawn('kube-controller-manager', [`--kubeconfig=${this.kubeconfig}`, '--leader-elect=false', '--secure-port=0', '--kube-api-qps=500', '--kube-api-burst=1000', '--use-service-account-credentials', `--service-account-private-key-file=${path('sa.key')}`, `--root-ca-file=${path('ca.crt')}`]);
  }

  /** Ends the API server as a crash does. */
  async killApiServer(): Promise<void> {
    await end(this.#apiServer, 'SIGKILL');
  }

  /** Takes all of etcd's history away: watches from an older version get 410. */
  async compact(): Promise<void> {
    const call = async (path: string, body: object): Promise<{ header: { revision: string } }> =>
      (await (await fetch(`${this.#etcdUrl}${path}`, { method: 'POST', body: JSON.stringify(body) })).json()) as { header: { revision: string } };
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
      const child = execFile(join(this.folder, 'kubectl'), ['--kubeconfig', this.kubeconfig, 'apply', '-f', '-', ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => resolve({ ok: error === null, output: `${stdout}${stderr}` }));
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
    writeFileSync(file, this.#configOf({ token }), { mode: 0o600 });
    return file;
  }

  async stop(): Promise<void> {
    await end(this.#controllers, 'SIGKILL');
    await end(this.#apiServer, 'SIGKILL');
    await end(this.#etcd, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #configOf(user: Readonly<Record<string, string>>): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: this.server, 'certificate-authority': this.#pki.path('ca.crt') } }],
      users: [{ name: 'user', user }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
      'current-context': 'test',
    });
  }

  #spawn(name: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.folder, `${name}.log`), 'a');
    return spawn(join(this.folder, name), args, { stdio: ['ignore', log, log] });
  }

  #said(name: string): string {
    return readFileSync(join(this.folder, `${name}.log`), 'utf8').trim().split('\n').slice(-5).join('\n');
  }
}

/** Tries again until `check` holds; throws after half a minute. */
export async function until(check: () => Promise<boolean>, what: string, said: () => string = () => ''): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await check().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited for ${what}\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}
