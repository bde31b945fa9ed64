import { alignColumns, dollars, percent } from '../record/columns.ts';
import { counted } from '../lib/counted.ts';
import type { Approximation, Unreplayable } from './exchange.ts';
import type { ReplayReport } from './replay.ts';

const skippedWords: Readonly<Record<Unreplayable, string>> = {
  'not-decided': 'were not decided',
  'from-cache': 'came from the cache',
  'older-record': 'are of an earlier version, which did not record what a request needs',
  'unknown-provider': 'went to a provider that the policy does not have',
  'policy-off': 'are in a section that is off',
};

const approximationWords: Readonly<Record<Approximation, string>> = {
  text: 'the prompt, which records do not hold: patterns decide as they did, rules over the text are unknown and count as no match',
  headers: 'request headers or the session, which records do not hold',
  session: 'the conversation: each request is decided by itself',
};

/** A report as text; ends with a newline. */
export function replayText(report: ReplayReport): string {
  const lines = [
    `${report.replayed} of ${counted(report.read, 'record')} decided again by policy ${report.policy}, held against ${report.against === 'recorded' ? 'what was recorded' : `policy ${report.against}`}.`,
    ...Object.entries(report.skipped).map(([why, count]) => `· ${count} left out: they ${skippedWords[why as Unreplayable]}`),
    ...Object.entries(report.approximated).map(([what, count]) => `· ${count} hang on ${approximationWords[what as Approximation]}`),
    ...Object.entries(report.unknownRules).map(
      ([name, count]) => `· rule ${name} is unknown for ${counted(count, 'request')} that reached it`,
    ),
    '',
    `Moved: ${counted(report.moved, 'request')} (${percent(share(report.moved, report.replayed))})`,
  ];
  if (report.moves.length > 0)
    lines.push(
      indent(
        alignColumns(
          ['from', 'to', 'requests'],
          report.moves.slice(0, 20).map(({ from, to, requests }) => [from, to, String(requests)]),
          new Set([2]),
        ),
      ),
    );
  if (report.moves.length > 20) lines.push(`  and ${report.moves.length - 20} more`);
  lines.push(
    '',
    'Why requests went where they went',
    indent(
      alignColumns(
        ['reason', 'before', 'after'],
        Object.entries(report.reasons).map(([reason, { before, after }]) => [reason, String(before), String(after)]),
        new Set([1, 2]),
      ),
    ),
  );
  lines.push(
    '',
    `Refused: ${report.newlyRefused} that were answered before; ${report.noLongerRefused} that were refused would be answered.`,
  );
  lines.push('', ...costLines(report.cost), '', ...faultLines(report));
  return `${lines.join('\n')}\n`;
}

function costLines(cost: ReplayReport['cost']): string[] {
  const lines = [
    `Cost of the ${counted(cost.compared, 'request')} with an answer both ways and a known cost: ${dollars(cost.beforeUsd)} before, ${dollars(cost.afterUsd)} after (same usage)`,
    cost.difference === null
      ? '  difference: too few to say'
      : `  difference: ${dollars(cost.difference.sum)}, with 95% confidence from ${dollars(cost.difference.low)} to ${dollars(cost.difference.high)}`,
  ];
  if (cost.relative !== null)
    lines.push(`  that is ${signed(cost.relative.difference)}, from ${signed(cost.relative.low)} to ${signed(cost.relative.high)}`);
  if (cost.unknown > 0) lines.push(`  ${cost.unknown} more, whose usage or price is unknown, are in no sum`);
  return lines;
}

function faultLines(report: ReplayReport): string[] {
  const faults = Object.entries(report.capabilities).sort(([, a], [, b]) => b - a);
  const lines = [
    faults.length === 0
      ? 'Every target that the policy lists can do what these requests need.'
      : 'Targets that the policy lists and that cannot do what requests need:',
  ];
  for (const [fault, count] of faults) lines.push(`  ${fault}: ${counted(count, 'request')}`);
  if (report.unable.after > 0 || report.unable.before > 0)
    lines.push(`Requests that nothing in the policy's lists can take: ${report.unable.after} (${report.unable.before} before)`);
  return lines;
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
const signed = (ratio: number): string => `${ratio > 0 ? '+' : ''}${(ratio * 100).toFixed(1)}%`;
const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
