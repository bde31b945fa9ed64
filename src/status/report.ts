import { alignColumns, dollars, percent } from '../record/columns.ts';
import { counted } from '../lib/counted.ts';
import type { ReplicaFacts, ReplicaStatus } from './replica.ts';
import { sidecarText, type Sidecars } from './sidecars.ts';

/** Text report: one line per replica, the totals of those that answered, then what needs attention. */
export function statusText(
  where: string,
  wanted: number | null,
  replicas: readonly ReplicaStatus[],
  sidecars: Sidecars | null = null,
): string {
  const ready = replicas.filter((replica) => replica.ready).length;
  const lines = [`${where}: ${ready} of ${counted(wanted ?? replicas.length, 'replica')} ready`];
  if (replicas.length > 0)
    lines.push(
      '',
      alignColumns(
        ['replica', 'ready', 'version', 'policy', 'since', 'exchanges', 'fallbacks', 'exhausted', 'resting'],
        replicas.map(row),
        new Set([5, 6, 7]),
      ),
    );
  const asked = replicas.flatMap((replica) => (replica.state === 'asked' ? [replica.facts] : []));
  if (asked.length > 0) lines.push('', ...sums(asked));
  const beside = sidecars === null ? null : sidecarText(sidecars);
  if (beside !== null) lines.push('', beside.line);
  const notes = [...notesOn(wanted, ready, replicas), ...(beside?.notes ?? [])];
  if (notes.length > 0) lines.push('', ...notes.map((note) => `! ${note}`));
  return `${lines.join('\n')}\n`;
}

function row(replica: ReplicaStatus): string[] {
  const ready = replica.ready ? 'yes' : 'no';
  if (replica.state === 'unknown') return [replica.name, ready, '?', '?', '?', '?', '?', '?', '?'];
  const { version, policy, exchanges, fallbacks, exhausted, cooling } = replica.facts;
  const label = `#${policy.number} ${policy.hash}${policy.resourceVersion === null ? '' : ` @${policy.resourceVersion}`}${policy.refused ? ' (newest refused)' : ''}`;
  return [
    replica.name,
    ready,
    version,
    label,
    age(policy.ageSeconds),
    String(exchanges),
    String(fallbacks),
    String(exhausted),
    cooling.join(' ') || '–',
  ];
}

function sums(asked: readonly ReplicaFacts[]): string[] {
  const total = (pick: (facts: ReplicaFacts) => number): number => asked.reduce((sum, facts) => sum + pick(facts), 0);
  const answers = total(({ usage }) => usage.answers);
  const reasons = new Map<string, number>();
  for (const { usage } of asked)
    for (const [reason, count] of Object.entries(usage.unknown)) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  const unknown = [...reasons.values()].reduce((sum, count) => sum + count, 0);
  const [savings, baseline] = [total((facts) => facts.savings.savings.usd), total((facts) => facts.savings.baseline.usd)];
  const shadow = total((facts) => facts.savings.shadow.usd);
  const apart = total((facts) => facts.savings.apart.usd);
  const unpriced = total((facts) => facts.savings.savings.unknown);
  const priced = total((facts) => facts.savings.savings.known);
  return [
    `saved   ${dollars(savings)}${baseline > 0 ? ` (${percent(savings / baseline)} of what was asked for)` : ''} since the replicas started; unknown for ${unpriced} of ${counted(priced + unpriced, 'exchange')}`,
    ...(shadow === 0 ? [] : [`shadow  ${dollars(shadow)} more would have been saved by sections in shadow mode`]),
    `cost    ${dollars(total((facts) => facts.savings.cost.usd))}${apart > 0 ? `, and ${dollars(apart)} on exchanges without a baseline` : ''}`,
    ...sourceLines(asked),
    `usage   as providers told it for ${percent(answers === 0 ? null : (answers - unknown) / answers)} of ${answers} answers${unknown === 0 ? '' : `; unknown: ${[...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')}`}`,
  ];
}

/** One line for each way in which Envoys report answers. */
function sourceLines(asked: readonly ReplicaFacts[]): string[] {
  const modes = new Map<string, Map<string, number>>();
  for (const { sources } of asked) {
    for (const [envoy, counts] of Object.entries(sources)) {
      const sums = modes.get(envoy) ?? new Map<string, number>();
      modes.set(envoy, sums);
      for (const [source, count] of Object.entries(counts)) sums.set(source, (sums.get(source) ?? 0) + count);
    }
  }
  return [...modes].map(
    ([envoy, counts]) =>
      `answers of Envoys that ${verbs[envoy] ?? envoy}: ${[...counts].map(([source, count]) => `${count} ${nouns[source] ?? source}`).join(', ')}`,
  );
}

const verbs: Readonly<Record<string, string>> = { observe: 'send copies', collect: 'collect them', 'protocol-manager': 'read their usage' };
const nouns: Readonly<Record<string, string>> = { copies: 'as copies', collected: 'collected', 'protocol-manager': 'as usage' };

function notesOn(wanted: number | null, ready: number, replicas: readonly ReplicaStatus[]): string[] {
  const notes: string[] = [];
  if (replicas.length === 0) notes.push('no pod of Sluice is here; check --namespace and --release');
  if (wanted !== null && ready < wanted) notes.push(`not ready: ${wanted - ready} of ${counted(wanted, 'replica')}`);
  const policies = new Set<string>();
  for (const replica of replicas) {
    if (replica.state === 'unknown') {
      notes.push(`${replica.name} did not answer, its figures are in no sum: ${replica.why}`);
      continue;
    }
    const { policy, failOpen, keysMissing } = replica.facts;
    policies.add(`${policy.hash} ${policy.catalog}`);
    if (policy.refused) notes.push(`${replica.name} refuses the newest policy; GET /policy on its admin port says why`);
    if (policy.embedded)
      notes.push(`${replica.name} was given no policy: the one that comes with it only says what it would do (shadow mode)`);
    if (policy.none) notes.push(`${replica.name} has no policy: requests pass as their apps sent them`);
    if (policy.notInForce.length > 0) notes.push(`${replica.name}: not in force as written: ${policy.notInForce.join(', ')}`);
    if (keysMissing > 0)
      notes.push(
        `${replica.name}: ${counted(keysMissing, 'key file')} without a key, though the policy names them; GET /checks on its admin port says which`,
      );
    if (failOpen > 0) notes.push(`${replica.name} let ${counted(failOpen, 'request')} pass undecided`);
  }
  if (policies.size > 1) notes.push(`the replicas have ${policies.size} different policies or catalogs`);
  return notes;
}

function age(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)}s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)}h` : `${Math.round(seconds / 86_400)}d`;
}
