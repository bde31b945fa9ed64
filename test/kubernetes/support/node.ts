import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until, type TestCluster } from './cluster.ts';
import type { TestMachine } from './machine.ts';
import { cniFolder, findTool, type Tool } from './tools.ts';

/** Their usual ports: the node has a network of its own, where nothing else takes them. */
const kubeletPort = 10_250;
const metricsPort = 10_249;
/** Addresses of pods. */
const podRange = '10.244.0.0/24';
const podRange6 = 'fd00:10:244::/64';

/** A real node on a machine inside this one: containerd, kubelet, kube-proxy and CoreDNS. It ends with the machine. */
export class TestNode {
  readonly #cluster: TestCluster;
  readonly #folder: string;
  readonly #machine: TestMachine;

  /** The cluster runs on the same machine. */
  constructor(cluster: TestCluster, machine: TestMachine) {
    this.#cluster = cluster;
    this.#machine = machine;
    this.#folder = join(cluster.folder, 'node');
  }

  /** Starts the node with images from archives, until it is ready. */
  async start(images: readonly string[]): Promise<void> {
    const { pki } = this.#cluster;
    for (const name of ['root', 'state', 'cni']) mkdirSync(join(this.#folder, name), { recursive: true });
    writeFileSync(join(this.#folder, 'containerd.toml'), this.#containerdConfig());
    writeFileSync(join(this.#folder, 'cni', '10-bridge.conflist'), JSON.stringify(this.#network()));
    this.#cluster.spawn(tool('containerd'), ['-c', join(this.#folder, 'containerd.toml')], {
      PATH: `${dirname(tool('containerd'))}:${process.env['PATH'] ?? ''}`,
    });
    await until(
      async () => (await this.#ctr('version')) !== '',
      'containerd',
      () => this.#cluster.said('containerd'),
    );
    for (const image of [tool('pause.tar'), ...images]) await this.#ctr('images', 'import', image);
    pki.certify('node1', '/O=system:nodes/CN=system:node:node1');
    pki.certify('kubelet', '/CN=node1', ['DNS:node1', `IP:${this.#machine.ip}`]);
    pki.certify('proxy', '/CN=system:kube-proxy');
    for (const name of ['node1', 'proxy'])
      writeFileSync(
        this.#config(name),
        this.#cluster.configOf({ 'client-certificate': pki.path(`${name}.crt`), 'client-key': pki.path(`${name}.key`) }),
        { mode: 0o600 },
      );
    writeFileSync(join(this.#folder, 'kubelet.yaml'), JSON.stringify(this.#kubelet(kubeletPort)));
    this.#cluster.spawn('kubelet', [
      `--config=${this.#folder}/kubelet.yaml`,
      `--kubeconfig=${this.#config('node1')}`,
      `--root-dir=${this.#folder}/kubelet`,
      `--cert-dir=${this.#folder}/kubelet-pki`,
      '--hostname-override=node1',
      `--node-ip=${[this.#machine.ip, this.#machine.ip6 ?? []].flat().join(',')}`,
    ]);
    this.#cluster.spawn('kube-proxy', [
      `--kubeconfig=${this.#config('proxy')}`,
      '--proxy-mode=nftables',
      '--hostname-override=node1',
      `--cluster-cidr=${this.#machine.ip6 === null ? podRange : `${podRange},${podRange6}`}`,
      '--healthz-bind-address=',
      `--metrics-bind-address=127.0.0.1:${metricsPort}`,
      '--conntrack-max-per-core=0',
    ]);
    writeFileSync(
      join(this.#folder, 'Corefile'),
      `.:53 {\n bind ${this.#machine.ip}\n errors\n kubernetes cluster.local in-addr.arpa {\n  kubeconfig ${this.#cluster.kubeconfig}\n  ttl 5\n }\n}\n`,
    );
    this.#cluster.spawn(tool('coredns'), ['-conf', join(this.#folder, 'Corefile')]);
    const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    await until(
      async () => (await this.#cluster.kubectl('get', 'node', 'node1', '--output', ready)) === 'True',
      'the node',
      () => this.#cluster.said('kubelet'),
    );
  }

  async #ctr(...args: readonly string[]): Promise<string> {
    return (await this.#machine.run(tool('ctr'), '-a', join(this.#folder, 'containerd.sock'), '-n', 'k8s.io', ...args)).trim();
  }

  #config(name: string): string {
    return join(this.#folder, `${name}.kubeconfig`);
  }

  #containerdConfig(): string {
    return `version = 3
root = '${this.#folder}/root'
state = '${this.#folder}/state'
[grpc]
  address = '${this.#folder}/containerd.sock'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = 'localhost/pause:1'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_hugetlb_controller = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['${cniFolder}']
    conf_dir = '${this.#folder}/cni'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    SystemdCgroup = false
    BinaryName = '${tool('runc')}'
`;
  }

  #network(): object {
    const ipam = {
      type: 'host-local',
      ranges: [[{ subnet: podRange }], ...(this.#machine.ip6 === null ? [] : [[{ subnet: podRange6 }]])],
      routes: [{ dst: '0.0.0.0/0' }, ...(this.#machine.ip6 === null ? [] : [{ dst: '::/0' }])],
      dataDir: join(this.#folder, 'ipam'),
    };
    return {
      cniVersion: '1.0.0',
      name: 'sluice-test',
      plugins: [
        { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: true, hairpinMode: true, ipam },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    };
  }

  #kubelet(port: number): object {
    const { pki } = this.#cluster;
    return {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: pki.path('ca.crt') } },
      authorization: { mode: 'Webhook' },
      address: this.#machine.ip,
      port,
      readOnlyPort: 0,
      healthzPort: 0,
      tlsCertFile: pki.path('kubelet.crt'),
      tlsPrivateKeyFile: pki.path('kubelet.key'),
      containerRuntimeEndpoint: `unix://${this.#folder}/containerd.sock`,
      cgroupDriver: 'cgroupfs',
      cgroupRoot: this.#machine.cgroup,
      failCgroupV1: false,
      enforceNodeAllocatable: [],
      failSwapOn: false,
      oomScoreAdj: 0,
      makeIPTablesUtilChains: false,
      syncFrequency: '5s',
      clusterDomain: 'cluster.local',
      clusterDNS: [this.#machine.ip],
      imageGCHighThresholdPercent: 100,
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    };
  }
}

function tool(name: Tool): string {
  const path = findTool(name);
  if (path === null) throw new Error(`${name} is missing`);
  return path;
}
