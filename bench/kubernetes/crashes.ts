import { until } from '../../test/kubernetes/support/cluster.ts';
import { plainHelm } from '../../test/kubernetes/support/helm.ts';
import type { NodeCluster } from '../../test/kubernetes/support/node-cluster.ts';
import { sleep } from '../endurance/types.ts';
import { underLoad, type Counts } from './load.ts';
import { kill, sluiceProcesses } from './processes.ts';
import { blockedRow, connectionRow, textOf, type Row } from './rows.ts';

const namespace = 'llm';
const url = `http://sluice.${namespace}`;

/** What the drill's rows are done to. */
export interface Drill {
  readonly node: NodeCluster;
  /** The model that the policy routes to. */
  readonly model: string;
  readonly say: (line: string) => void;
}

/** After crashes: both pods have all their containers, and what runs in them is ready. */
export async function allReady(node: NodeCluster): Promise<void> {
  const selected = ['--namespace', namespace, '--selector', 'app.kubernetes.io/name=sluice'];
  // Not of pods by their label: those that are going, after an upgrade, are never ready again.
  await node.cluster.kubectl('rollout', 'status', 'deployment/sluice', '--namespace', namespace, '--timeout=180s');
  await until(async () => Promise.resolve(sluiceProcesses(namespace).sluices.length === 2), 'both Sluices');
  // Those that are going are listed too.
  const goes = '{range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{"\\n"}{end}';
  const listed = (await node.cluster.kubectl('get', 'pods', ...selected, '--output', `jsonpath=${goes}`)).trim().split('\n');
  for (const pod of listed.map((line) => line.trim()).filter((line) => !line.includes(' ')))
    await until(
      async () => (await node.cluster.kubectl('get', '--raw', `/api/v1/namespaces/${namespace}/pods/${pod}:9904/proxy/readyz`)) !== '',
      'Sluice',
    );
}

/** All of them, one of them, and all of them again and again. */
export async function crashes(drill: Drill): Promise<Row[]> {
  const { node, say } = drill;
  say('kill one of two, and both');
  await allReady(node);
  const one = await underLoad(node, url, async () => {
    kill(sluiceProcesses(namespace).sluices.slice(0, 1));
    await sleep(6_000);
  });
  await allReady(node);
  let times = { from: 0, to: 0 };
  const both = await underLoad(node, url, async () => {
    times = await killBoth(drill);
    await sleep(4_000);
  });
  say('crash loop');
  let killed = 0;
  const loop = await underLoad(node, url, async () => {
    for (let round = 0; round < 4; round++) {
      killed += kill(sluiceProcesses(namespace).sluices);
      await sleep(6_000);
    }
  });
  return [
    connectionRow('kill one Sluice of two', one, one.models[drill.model] !== undefined),
    connectionRow('kill both at once', both, true),
    blockedRow('the same, prompts that the policy blocks', both, times, 'begun'),
    connectionRow(`kill them again whenever they are back, ${killed} times in 24 s`, loop, killed > 6),
  ];
}

/** Kills what both supervisors run; from then until both are ready again, ms since 1970. */
async function killBoth({ node }: Drill): Promise<{ from: number; to: number }> {
  // What was asked before is answered by then.
  await sleep(3_000);
  kill(sluiceProcesses(namespace).sluices);
  const from = Date.now();
  await sleep(1_000);
  await allReady(node);
  return { from, to: Date.now() };
}

/** The whole containers, which Kubernetes has to restart. */
export async function containers({ node, say }: Drill): Promise<Row> {
  say('kill both containers');
  await allReady(node);
  let killed = 0;
  const seen = await underLoad(node, url, async () => {
    killed = kill(sluiceProcesses(namespace).supervisors);
    await sleep(8_000);
  });
  await allReady(node);
  return {
    did: 'kill both containers, with their supervisors',
    expected: '0 refused, 0 failed, with service.spareEndpoints',
    seen: `${seen.kept} of kept connections; ${textOf(seen)}`,
    ok: killed === 2 && seen.kept === 0 && seen.refused === 0 && seen.failed === 0 && seen.requests > 0,
  };
}

/** Longer than a liveness probe would look on, ms. */
const failingMs = 80_000;

/** Each start ends before Sluice is ready, for longer than Kubernetes lets a container fail. */
export async function failingStarts(drill: Drill): Promise<Row[]> {
  const { node, say } = drill;
  say('starts that fail');
  await allReady(node);
  let killed = 0;
  const containersBefore = sluiceProcesses(namespace).supervisors;
  let tested = 'does not end';
  const seen = await underLoad(node, url, async () => {
    const args = ['test', 'sluice', '--namespace', namespace, '--kubeconfig', node.cluster.kubeconfig, '--timeout', '60s'];
    void plainHelm(args, {}).then(
      () => (tested = 'passes'),
      (error: unknown) => (tested = `fails: ${/no decision|was made|Failed/.exec(String(error))?.[0] ?? 'without a reason'}`),
    );
    for (const until = Date.now() + failingMs; Date.now() < until; await sleep(100)) killed += kill(sluiceProcesses(namespace).sluices);
  });
  const same = sluiceProcesses(namespace).supervisors.filter((pid) => containersBefore.includes(pid)).length;
  const row = connectionRow(`kill them as soon as they start, ${killed} times in ${failingMs / 1_000} s`, seen, killed > 4 && same === 2);
  // The supervisors wait for up to 30 s before they start the next one.
  await allReady(node);
  return [
    { ...row, seen: `${row.seen}; ${same} of 2 containers run on` },
    { did: '`helm test` meanwhile', expected: 'fails', seen: tested, ok: tested.startsWith('fails') },
  ];
}

/** Without an API server the policy is the one that was kept. */
export async function withoutApiServer({ node, model, say }: Drill): Promise<Row[]> {
  await allReady(node);
  say('no API server');
  const [times, back] = [{ from: 0, to: 0 }, { ms: null as number | null }];
  const seen = await underLoad(node, url, async () => {
    await sleep(3_000);
    await node.cluster.killApiServer();
    const before = new Set(sluiceProcesses(namespace).sluices);
    kill([...before]);
    times.from = Date.now();
    while (Date.now() - times.from < 60_000 && back.ms === null) {
      if (sluiceProcesses(namespace).sluices.filter((pid) => !before.has(pid)).length === 2) back.ms = Date.now() - times.from;
      await sleep(50);
    }
    // A start without a list of ConfigMaps waits five seconds for it.
    await sleep(20_000);
    times.to = Date.now();
    await sleep(4_000);
    await node.cluster.startApiServer();
  });
  const wrong = Object.entries(seen.models).reduce((sum, [name, count]) => sum + (name === model ? 0 : count), 0);
  const decided = seen.models[model] ?? 0;
  return [
    {
      did: `kill the API server, then both (started again after ${back.ms === null ? '–' : (back.ms / 1_000).toFixed(1)} s)`,
      expected: '0 decided otherwise than by the last policy, 0 refused, 0 failed',
      seen: `${wrong} of ${decided + wrong} decisions by another model; ${textOf(seen)}`,
      ok: wrong === 0 && decided > 0 && back.ms !== null && seen.refused === 0 && seen.failed === 0,
    },
    blockedRow('the same, prompts that the policy blocks', seen, times, 'begun'),
  ];
}

/** A release with `failClosed`. */
export async function closed(drill: Drill): Promise<Row> {
  drill.say('kill both, failClosed');
  await allReady(drill.node);
  let times = { from: 0, to: 0 };
  const seen: Counts = await underLoad(drill.node, url, async () => {
    times = await killBoth(drill);
    await sleep(4_000);
  });
  const row = blockedRow('a failClosed policy: kill both, prompts that the policy blocks', seen, times, 'none');
  return { ...row, seen: `${row.seen}; of the others ${seen.undecided} passed undecided`, ok: row.ok && seen.undecided === 0 };
}

/** A release with two workers in each pod. */
export async function workers({ node, model, say }: Drill): Promise<Row> {
  say('kill one worker of two in each pod');
  await allReady(node);
  await until(async () => Promise.resolve(sluiceProcesses(namespace).workers.every(({ length }) => length === 2)), 'two workers in each');
  const seen = await underLoad(node, url, async () => {
    kill(sluiceProcesses(namespace).workers.flatMap((pids) => pids.slice(-1)));
    await sleep(6_000);
  });
  return connectionRow('two workers in each pod: kill one of each', seen, seen.models[model] !== undefined);
}
