import { runCli } from '../../test/kubernetes/support/cli.ts';
import { until } from '../../test/kubernetes/support/cluster.ts';
import { chart, helm, plainHelm, type Values } from '../../test/kubernetes/support/helm.ts';
import { localImages, NodeCluster } from '../../test/kubernetes/support/node-cluster.ts';
import type { EgressPod } from '../../src/kubernetes/egress-pods.ts';
import { allReady, closed, containers, crashes, failingStarts, withoutApiServer, workers, type Drill } from './crashes.ts';
import type { Row } from './rows.ts';

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
  service: { spareEndpoints: true },
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

/** What is done, in this order, each to the release that the ones before have left. */
const parts: Readonly<Record<string, (drill: Drill, upgrade: (values: Values) => Promise<void>) => Promise<Row[]>>> = {
  crashes: (drill) => crashes(drill),
  containers: async (drill) => [await containers(drill)],
  starts: (drill) => failingStarts(drill),
  'no-api-server': (drill) => withoutApiServer(drill),
  leave: (drill, upgrade) => leaveAndComeBack(drill, (names) => upgrade(values(names))),
  workers: async (drill, upgrade) => {
    await upgrade({ ...values(true), extraEnv: [{ name: 'SLUICE_WORKERS', value: '2' }] });
    return [await workers(drill)];
  },
  closed: async (drill, upgrade) => {
    await upgrade({ ...values(true), policy: { inline: `${policy}  failClosed: true\n`, failClosed: true } });
    return [await closed(drill)];
  },
  uninstall: async ({ node, say }) => [await uninstalled(node, say)],
};

export const partNames: readonly string[] = Object.keys(parts);

/** Installs the chart on a real node, and does to it what happens in a month; `only`: names of the parts that are done. */
export async function kubernetesDrill(say: (line: string) => void, only = partNames): Promise<Row[]> {
  const node = new NodeCluster();
  const drill: Drill = { node, model, say };
  const upgrade = async (more: Values): Promise<void> => {
    const args = ['--namespace', 'llm', '--kubeconfig', node.cluster.kubeconfig, '--wait', '--timeout', '180s'];
    try {
      await helm(['upgrade', 'sluice', chart, ...args], more);
    } catch (error) {
      // Why, before all of it is gone.
      for (const what of ['pods', 'events']) say(await node.cluster.kubectl('get', what, '--namespace', 'llm', '--output', 'wide'));
      throw error;
    }
  };
  try {
    say('images and node');
    await node.start(() => []);
    await node.namespaces({ llm: {}, bank: { 'sluice.dev/egress': 'names' } });
    say('helm install');
    await node.install('sluice', chart, 'llm', values(true));
    const rows: Row[] = [];
    const add = (...more: readonly Row[]): void => {
      for (const row of more) say(`${row.did}: ${row.seen}`);
      rows.push(...more);
    };
    for (const [name, part] of Object.entries(parts)) if (only.includes(name)) add(...(await part(drill, upgrade)));
    return rows;
  } finally {
    await node.stop();
  }
}

async function leaveAndComeBack({ node, say }: Drill, upgrade: (names: boolean) => Promise<void>): Promise<Row[]> {
  await allReady(node);
  say('leave and come back');
  const pod = await node.startPod('bank', {}, longRunning);
  const last = async (): Promise<{ worked: number; failed: number }> =>
    JSON.parse((await node.logs('bank', pod)).trim().split('\n').at(-1) ?? '{}') as { worked: number; failed: number };
  await until(async () => (await last()).worked > 2, 'the app by names');
  const listed = async (): Promise<EgressPod | undefined> =>
    (JSON.parse(await egressOf(node.cluster.kubeconfig)) as EgressPod[]).find(({ name }) => name === pod);
  const governed = await listed();
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

/** The release goes while an app needs it. */
async function uninstalled(node: NodeCluster, say: (line: string) => void): Promise<Row> {
  say('uninstall');
  const pod = await node.startPod('bank', { last: 'true' }, longRunning);
  const asked = ['uninstall', 'sluice', '--namespace', 'llm', '--kubeconfig', node.cluster.kubeconfig, '--wait', '--timeout', '180s'];
  await node.cluster.kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '--namespace', 'bank', '--timeout=60s');
  const said = await plainHelm(asked, {});
  const line = said
    .split('\n')
    .find((each) => each.includes(`bank/${pod}`))
    ?.trim();
  const left = await node.cluster.kubectl('get', 'jobs,serviceaccounts,clusterroles', '--all-namespaces', '--output', 'name');
  return {
    did: '`helm uninstall` while an app calls by `names`',
    expected: 'it says which pods need the release, and leaves nothing of the question behind',
    seen: `${line === undefined ? 'no pod is named' : `${line} is named`}; ${left.includes('-leave') ? 'something' : 'nothing'} is left`,
    ok: line !== undefined && !left.includes('-leave'),
  };
}

/** What `sluice egress --json` prints; it exits with 1 when a pod is stale. */
async function egressOf(kubeconfig: string): Promise<string> {
  return runCli(['egress', '--context', 'test', '--json'], { KUBECONFIG: kubeconfig }).catch((error: unknown) => {
    const { stdout, code } = error as { readonly stdout?: string; readonly code?: number };
    if (code !== 1 || stdout === undefined) throw error;
    return stdout;
  });
}
