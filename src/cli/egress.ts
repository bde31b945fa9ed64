import type { Command } from 'commander';
import type { EgressPod } from '../kubernetes/egress-pods.ts';
import { SluiceError, sentenceOf } from '../lib/errors.ts';
import { counted } from '../lib/counted.ts';
import { alignColumns } from '../record/columns.ts';
import { shared } from './flags/shared.ts';

interface EgressFlags {
  readonly context?: string;
  readonly namespace?: string;
  readonly gateway?: string;
  readonly sidecars?: true;
  readonly leave?: string;
  readonly json?: boolean;
}

/** `sluice egress`: the pods whose calls go to Sluice, those that were left as they are, and those whose gateway is gone. */
export function registerEgress(program: Command): void {
  program
    .command('egress')
    .description('pods in Kubernetes whose calls go to Sluice, that were skipped, or whose gateway is gone; exit 1 if there are stale ones')
    .option(...shared.context)
    .option('--namespace <name>', 'only these pods (default: of all namespaces)')
    .option('--gateway <namespace/name>', 'only those that call this Service')
    .option('--sidecars', 'only those with a gateway of their own')
    .option('--leave <warn|refuse>', 'before a release goes: the pods that need it, as sentences; refuse: exit 1 if there are any')
    .option(...shared.json)
    .action(async (flags: EgressFlags) => {
      const { context, namespace, json, leave } = flags;
      if (leave !== undefined && leave !== 'warn' && leave !== 'refuse')
        throw new SluiceError('SLUICE_CLI_USAGE', `${leave} is neither warn nor refuse.`, { where: '--leave' });
      // The client library takes half a second to load, so it is loaded only when needed.
      const [{ findEgressPods }, { loadKubeConfig }] = await Promise.all([
        import('../kubernetes/egress-pods.ts'),
        import('../kubernetes/client.ts'),
      ]);
      const found = findEgressPods(loadKubeConfig(context), namespace ?? null).then((all) => all.filter((pod) => isAskedFor(pod, flags)));
      if (leave !== undefined) {
        // A release without the right to list pods, or an API server that does not answer, can be removed.
        const text = await found.then(leaveText, (error: unknown) => {
          if (leave === 'refuse') throw error;
          return `Whether pods still call this release is not known. ${sentenceOf(error)}\n`;
        });
        process.stdout.write(text);
        if (leave === 'refuse' && text !== leaveText([])) process.exitCode = 1;
        return;
      }
      const pods = await found;
      process.stdout.write(json === true ? `${JSON.stringify(pods, null, 2)}\n` : egressText(pods));
      if (pods.some(({ state }) => state === 'stale')) process.exitCode = 1;
    });
}

function isAskedFor({ gateway, mode }: EgressPod, flags: EgressFlags): boolean {
  if (flags.gateway !== undefined && gateway !== flags.gateway) return false;
  return flags.sidecars === undefined || mode === 'sidecar';
}

/** Most pods that are named in sentences. */
const mostNamed = 20;

/** What is said before a release goes, about the pods that need it. */
export function leaveText(pods: readonly EgressPod[]): string {
  const needing = pods.filter(({ state }) => state !== 'skipped');
  if (needing.length === 0) return 'No running pod needs this release.\n';
  const named = needing.slice(0, mostNamed).map(({ namespace, name, mode }) => `  ${namespace}/${name} (${mode ?? '–'})\n`);
  const more = needing.length > mostNamed ? `  and ${needing.length - mostNamed} more\n` : '';
  return (
    `This release is needed by ${counted(needing.length, 'running pod')}. When it is gone, their calls fail or they get no policy:\n${named.join('')}${more}` +
    'Take the labels sluice.dev/egress away, restart these pods (kubectl rollout restart), and see that `sluice egress` lists none.\n'
  );
}

/** One line for each pod, stale ones first, then the sums. */
export function egressText(pods: readonly EgressPod[]): string {
  if (pods.length === 0) return 'no running pod was seen by a webhook of Sluice\n';
  const order = ['stale', 'skipped', 'governed'] as const;
  const rows = order.flatMap((state) => pods.filter((pod) => pod.state === state));
  const sums = order.map((state) => `${pods.filter((pod) => pod.state === state).length} ${state}`);
  const table = alignColumns(
    ['pod', 'state', 'by', 'gateway', 'why'],
    rows.map(({ namespace, name, state, mode, gateway, why }) => [`${namespace}/${name}`, state, mode ?? '–', gateway ?? '–', why ?? '']),
    new Set(),
  );
  const advice = pods.some(({ state }) => state === 'stale')
    ? '! stale pods call a gateway that is not there: restart them (kubectl rollout restart), or bring the release back\n'
    : '';
  return `${table}\n\n${counted(pods.length, 'pod')}: ${sums.join(', ')}\n${advice}`;
}
