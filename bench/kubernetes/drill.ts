import { runCli } from '../../test/kubernetes/support/cli.ts';
import { until } from '../../test/kubernetes/support/cluster.ts';
import { chart, helm, type Values } from '../../test/kubernetes/support/helm.ts';
import { localImages, NodeCluster } from '../../test/kubernetes/support/node-cluster.ts';
import type { EgressPod } from '../../src/kubernetes/egress-pods.ts';
import { sleep } from '../endurance/types.ts';
import { underLoad, type Counts } from './load.ts';
import { killSluice, sluiceProcesses } from './processes.ts';

/** One line of the drill. */
export interface Row {
  readonly did: string;
  readonly expected: string;
  readonly seen: string;
  readonly ok: boolean;
}

const model = 'gpt-5-nano';
/** `block`: prompts about project zeus are refused, whatever happens to Sluice's source of policies. */
const policy = `version: 1
providers:
  openai: { endpoint: "http://simulator.apps:8080" }
defaults:
  tiers: [simple]
  candidates: { simple: [openai/${model}] }
  rules: [{ name: zeus, when: "request.lastUser.contains('zeus')", then: { block: 'Not about zeus.' } }]
`;

const values = (names: boolean): Values => ({
  ...localImages,
  policy: { inline: policy },
  webhooks: { policy: true },
  egress: { baseUrl: true, names: { enabled: names } },
});

/** An app that calls a provider by its own name for as long as it runs, and says how often that worked. */
const longRunning = `
let [worked, failed] = [0, 0];
for (;;) {
  try {
    const response = await fetch('https://api.openai.com/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json', connection: 'close' }, body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}', signal: AbortSignal.timeout(2_000) });
    if (response.headers.get('x-sluice-model') === null) failed++; else worked++;
  } catch { failed++; }
  console.log(JSON.stringify({ worked, failed }));
  await new Promise((resolve) => setTimeout(resolve, 250));
}`;

/** Installs the chart on a real node, and does to it what happens in a month. */
export async function kubernetesDrill(say: (line: string) => void): Promise<Row[]> {
  const node = new NodeCluster();
  try {
    say('images and node');
    await node.start(() => []);
    await node.namespaces({ llm: {}, bank: { 'sluice.dev/egress': 'names' } });
    say('helm install');
    await node.install('sluice', chart, 'llm', values(true));
    const rows = [await killAll(node), await crashLoop(node), ...(await withoutApiServer(node)), ...(await leaveAndComeBack(node))];
    return rows;
  } finally {
    await node.stop();
  }

  async function killAll(cluster: NodeCluster): Promise<Row> {
    say('kill all Sluice containers');
    let killed = 0;
    const seen = await underLoad(cluster, 'http://sluice.llm', async () => {
      killed = killSluice('llm');
      await sleep(8_000);
    });
    return connectionRow(`kill all ${killed} Sluice containers at once, under kept and new connections`, seen, killed === 2);
  }

  async function crashLoop(cluster: NodeCluster): Promise<Row> {
    say('crash loop');
    let killed = 0;
    const seen = await underLoad(cluster, 'http://sluice.llm', async () => {
      for (let round = 0; round < 4; round++) {
        killed += killSluice('llm');
        await sleep(6_000);
      }
    });
    return connectionRow(`kill Sluice’s containers again whenever they are back, ${killed} times in 24 s`, seen, killed > 2);
  }

  async function withoutApiServer(cluster: NodeCluster): Promise<Row[]> {
    await allReady(cluster);
    say('no API server');
    let back: number | null = null;
    const seen = await underLoad(cluster, 'http://sluice.llm', async () => {
      await cluster.cluster.killApiServer();
      const begun = performance.now();
      const before = new Set(sluiceProcesses('llm'));
      killSluice('llm');
      while (performance.now() - begun < 60_000 && back === null) {
        if (sluiceProcesses('llm').filter((pid) => !before.has(pid)).length === 2) back = performance.now() - begun;
        await sleep(200);
      }
      // A start without a list of ConfigMaps waits five seconds for it.
      await sleep(12_000);
      await cluster.cluster.startApiServer();
    });
    const wrong = Object.entries(seen.models).reduce((sum, [name, count]) => sum + (name === model ? 0 : count), 0);
    const decided = seen.models[model] ?? 0;
    return [
      {
        did: `kill the API server, then Sluice’s containers (restarted after ${back === null ? '–' : (back / 1_000).toFixed(1)} s), for 12 s more`,
        expected: '0 decided otherwise than by the last policy, 0 refused, 0 failed',
        seen: `${wrong} of ${decided + wrong} decisions by another model; ${text(seen)}`,
        ok: wrong === 0 && decided > 0 && back !== null && seen.refused === 0 && seen.failed === 0,
      },
      {
        did: 'the same, prompts that the policy blocks, where it is not failClosed',
        expected: 'blocked whenever Sluice runs',
        seen: secrets(seen),
        ok: (seen.secrets['403'] ?? 0) > 0,
      },
    ];
  }

  async function leaveAndComeBack(cluster: NodeCluster): Promise<Row[]> {
    await allReady(cluster);
    say('leave and come back');
    const pod = await cluster.startPod('bank', {}, longRunning);
    const last = async (): Promise<{ worked: number; failed: number }> =>
      JSON.parse((await cluster.logs('bank', pod)).trim().split('\n').at(-1) ?? '{}') as { worked: number; failed: number };
    await until(async () => (await last()).worked > 2, 'the app by names');
    const listed = async (): Promise<EgressPod | undefined> =>
      (JSON.parse(await egressOf(cluster.cluster.kubeconfig)) as EgressPod[]).find(({ name }) => name === pod);
    const governed = await listed();
    const upgrade = (names: boolean): Promise<string> =>
      helm(
        ['upgrade', 'sluice', chart, '--namespace', 'llm', '--kubeconfig', cluster.cluster.kubeconfig, '--wait', '--timeout', '180s'],
        values(names),
      );
    await upgrade(false);
    const stranded = await listed();
    await upgrade(true);
    const begun = (await last()).worked;
    const works = await until(async () => (await last()).worked > begun + 2, 'the app again').then(
      () => true,
      () => false,
    );
    const again = await listed();
    return [
      {
        did: 'an app that calls api.openai.com through `names`; `sluice egress`',
        expected: 'governed',
        seen: governed?.state ?? 'not listed',
        ok: governed?.state === 'governed',
      },
      {
        did: 'leave: helm upgrade without `names` while the app runs',
        expected: '`sluice egress` lists it as stale, exit 1',
        seen: stranded === undefined ? 'not listed' : `${stranded.state}: ${stranded.why ?? ''}`,
        ok: stranded?.state === 'stale',
      },
      {
        did: 'come back: helm upgrade with `names`; the same pod',
        expected: 'its calls work again, with the CA that it has; governed',
        seen: `${works ? 'its calls work again' : 'its calls do not work'}; ${again?.state ?? 'not listed'}`,
        ok: works && again?.state === 'governed',
      },
    ];
  }
}

function connectionRow(did: string, seen: Counts, done: boolean): Row {
  return {
    did,
    expected: '0 refused, 0 failed',
    seen: text(seen),
    ok: done && seen.refused === 0 && seen.failed === 0 && seen.requests > 0,
  };
}

function text({ requests, refused, failed, errors, undecided, slowest }: Counts): string {
  return `${refused} refused and ${failed} failed of ${requests} requests${errors.length === 0 ? '' : ` (${[...new Set(errors)].join(', ')})`}; ${undecided} passed undecided; slowest ${slowest} ms`;
}

function secrets({ secrets: seen }: Counts): string {
  const total = Object.values(seen).reduce((sum, count) => sum + count, 0);
  return `${seen['403'] ?? 0} of ${total} blocked; the others passed while no Sluice ran`;
}

/** What `sluice egress --json` prints; it exits with 1 when a pod is stale. */
async function egressOf(kubeconfig: string): Promise<string> {
  return runCli(['egress', '--context', 'test', '--json'], { KUBECONFIG: kubeconfig }).catch((error: unknown) => {
    const { stdout, code } = error as { readonly stdout?: string; readonly code?: number };
    if (code !== 1 || stdout === undefined) throw error;
    return stdout;
  });
}

/** After crashes: both pods have all their containers. */
async function allReady(node: NodeCluster): Promise<void> {
  await node.cluster.kubectl(
    'wait',
    '--for=condition=Ready',
    'pods',
    '--namespace',
    'llm',
    '--selector',
    'app.kubernetes.io/name=sluice',
    '--timeout=120s',
  );
  await until(async () => Promise.resolve(sluiceProcesses('llm').length === 2), 'both Sluices');
}
