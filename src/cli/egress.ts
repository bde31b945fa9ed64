import type { Command } from 'commander';
import type { EgressPod } from '../kubernetes/egress-pods.ts';
import { counted } from '../lib/counted.ts';
import { alignColumns } from '../record/columns.ts';
import { shared } from './flags/shared.ts';

interface EgressFlags {
  readonly context?: string;
  readonly namespace?: string;
  readonly json?: boolean;
}

/** `sluice egress`: the pods whose calls go to Sluice, those that were left as they are, and those whose gateway is gone. */
export function registerEgress(program: Command): void {
  program
    .command('egress')
    .description('pods in Kubernetes whose calls go to Sluice, that were skipped, or whose gateway is gone; exit 1 if there are stale ones')
    .option(...shared.context)
    .option('--namespace <name>', 'only these pods (default: of all namespaces)')
    .option(...shared.json)
    .action(async ({ context, namespace, json }: EgressFlags) => {
      // The client library takes half a second to load, so it is loaded only when needed.
      const [{ findEgressPods }, { loadKubeConfig }] = await Promise.all([
        import('../kubernetes/egress-pods.ts'),
        import('../kubernetes/client.ts'),
      ]);
      const pods = await findEgressPods(loadKubeConfig(context), namespace ?? null);
      process.stdout.write(json === true ? `${JSON.stringify(pods, null, 2)}\n` : egressText(pods));
      if (pods.some(({ state }) => state === 'stale')) process.exitCode = 1;
    });
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
