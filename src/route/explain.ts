import type { Grade } from '../grades/types.ts';
import { printableTexts } from '../record/printable.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { SessionFacts } from '../sessions/types.ts';
import { budgetLines, limitLines, moneyLines, shapeLines } from './explain-account.ts';
import { decisionLines, learnedLines, learningLines, modelsLines, verdictLines } from './explain-choice.ts';
import { faultsOfAnswers, ignoredWhy, money, ms, namedBy, passReasons, reasons, target, triggers, usageReasons } from './explain-words.ts';
import type { Decision } from './types.ts';

/** Formats a record for people: plain text, several lines, ends with a newline. */
export function explainRecord(record: ExchangeRecord, grades: readonly Grade[] = []): string {
  return textOf(printableTexts(record), printableTexts(grades));
}

function textOf(record: ExchangeRecord, grades: readonly Grade[]): string {
  return [
    ...heading(record),
    ...verdictLines(record),
    ...maskLines(record),
    ...(record.decision?.models === undefined ? [] : modelsLines(record.decision.models)),
    ...(record.decision?.learned === undefined ? [] : learnedLines(record.decision.learned)),
    ...(record.decision?.learning === undefined ? [] : learningLines(record.decision.learning)),
    ...(record.decision === null ? [] : decisionLines(record.decision)),
    ...budgetLines(record),
    ...limitLines(record),
    ...shapeLines(record),
    ...attemptLines(record),
    ...answerLines(record),
    ...gradeLines(record, grades),
    ...moneyLines(record),
    ...originLines(record),
    '',
  ].join('\n');
}

function heading(record: ExchangeRecord): string[] {
  const { decision } = record;
  const lines = [
    `Decision ${record.id} at ${record.time}`,
    `  asked for   ${record.requestedModel ?? 'no model'}${record.provider === null ? '' : ` at ${record.provider}`}`,
  ];
  if (record.shadowOf !== undefined) return [...lines, `  a copy of   ${record.shadowOf}: its answer was graded and thrown away`];
  if (record.judgeOf !== undefined) return [...lines, `  graded      the answer of ${record.judgeOf}: a call of the gateway's own`];
  if (record.passReason !== null)
    return [
      ...lines,
      ...(record.call === undefined
        ? []
        : [`  called      ${record.call.method} ${record.call.path}${record.call.about === null ? '' : ` (${record.call.about})`}`]),
      `  untouched   ${passReasons[record.passReason]} (${record.passReason})`,
    ];
  const { cacheEntry } = record;
  if (cacheEntry !== null)
    return [
      ...lines,
      `  from cache  ${record.cache}, entry ${cacheEntry.id}, ${cacheEntry.ageSeconds} s old, fetched from ${target(cacheEntry.target)}`,
    ];
  if (record.outcome === 'not-cached') return [...lines, '  refused     only a cached answer was wanted, and there was none'];
  if (decision === null) return lines;
  lines.push(...servedLines(record, decision));
  lines.push(`  because     ${reasons[decision.reason]}${decision.rule === null ? '' : ` ("${decision.rule}")`}`);
  lines.push(...callerLines(record));
  if (decision.pool !== undefined)
    lines.push(
      `  pool        ${decision.pool.pool} (${decision.pool.pick}): ${decision.pool.order.map((one) => `${target(one.target)}${one.latencyMs === null ? '' : ` ${Math.round(one.latencyMs)} ms`}${one.weight === 1 ? '' : `, weight ${one.weight}`}`).join('; ')}`,
    );
  if (decision.chain.length > 1) lines.push(`  if it fails ${decision.chain.slice(1).map(target).join(', then ')}`);
  if (decision.session !== undefined) lines.push(...sessionLines(decision.session));
  if (decision.shadowReason !== undefined) {
    const would =
      decision.wouldServe === null ? 'it would have been refused' : `it would have been served by ${target(decision.wouldServe)}`;
    lines.push(`  if enabled  ${would}: ${reasons[decision.shadowReason]}`);
    if (record.shadowSavings !== undefined) lines.push(`  would save  ${money(record.shadowSavings)} for the same tokens`);
  }
  return lines;
}

/** Who vouched for the caller, and which of its claims were not believed. */
function callerLines({ caller }: ExchangeRecord): string[] {
  if (caller?.identity === undefined && caller?.trusted === undefined && caller?.ignored === undefined) return [];
  const { identity, trusted, ignored = [] } = caller;
  const parts = [
    ...(identity === undefined ? [] : [`known by "${identity}"`]),
    ...(trusted === undefined ? [] : [`trusted by "${trusted}"`]),
    ...ignored.map(({ claim, why }) => `${claim} does not count: ${ignoredWhy[why]}`),
  ];
  return [`  caller      ${parts.join('; ')}`];
}

/** Who answered; after a fallback this is not the chosen target. */
function servedLines({ attempts, servedModel, outcome }: ExchangeRecord, decision: Decision): string[] {
  if (decision.action === 'block') return [`  refused     ${decision.block?.message ?? ''}`];
  const last = attempts.at(-1);
  if (attempts.length === 0 && servedModel === null) return [`  served by   nobody (${outcome}); ${target(decision.served)} was chosen`];
  if (last === undefined || (attempts.length === 1 && last.reason === null))
    return [`  served by   ${target(last?.target ?? decision.served)}`];
  const answered = last.reason === null ? target(last.target) : 'nobody: every attempt failed';
  return [
    `  chosen      ${target(decision.served)}`,
    `  served by   ${answered}${last.reason === null ? `, attempt ${attempts.length} of ${attempts.length}` : ''}`,
  ];
}

/** All attempts, unless there was only one and it succeeded. */
function attemptLines({ attempts }: ExchangeRecord): string[] {
  if (attempts.length === 0 || (attempts.length === 1 && attempts[0]!.reason === null && attempts[0]!.dropped.length === 0)) return [];
  const rows = attempts.map(({ target: of, status, outcome, reason, ms: took, cost, dropped }, at) => [
    `${at + 1}`,
    target(of),
    status === null ? 'no answer' : `status ${status}`,
    ms(took),
    money(cost),
    `${reason === null ? (outcome === 'complete' ? 'the app got its answer' : `the app got its answer: ${outcome}`) : `${triggers[reason] ?? reason} (${reason})`}${dropped.length === 0 ? '' : `; left out ${dropped.join(', ')}`}`,
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return ['', 'Attempts', ...rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`)];
}

function sessionLines({ key, source, turn, floor, raised, last, cachedTokens, keptForCache }: SessionFacts): string[] {
  const lines = [
    `  session     ${key}, named by ${namedBy[source]}, turn ${turn}${floor === null ? '' : `, not below ${floor}${raised ? ' (this turn alone would be)' : ''}`}`,
  ];
  if (last !== null && cachedTokens > 0)
    lines.push(
      `              ${target(last)} holds about ${cachedTokens} tokens of it in its prompt cache${keptForCache ? ', which makes it the cheapest' : ''}`,
    );
  return lines;
}

function maskLines({ masked }: ExchangeRecord): string[] {
  return masked === undefined ? [] : ['', `Masked: ${masked.map(({ rule, matches }) => `${matches} of ${rule}`).join(', ')}`];
}

function answerLines(record: ExchangeRecord): string[] {
  const { usage, timing } = record;
  const said =
    record.answeredModel === null || record.answeredModel === record.servedModel
      ? ''
      : `, the provider calls the model ${record.answeredModel}`;
  const lines = [
    '',
    `Answer: ${record.outcome}${record.status === null ? '' : `, status ${record.status}`}${record.errorType === null ? '' : `, error ${record.errorType}`}${said}`,
  ];
  lines.push(
    usage === null
      ? `  tokens      unknown: ${usageReasons[record.usageUnknown ?? 'not-observed']} (${record.usageUnknown ?? 'not-observed'})${record.seen === undefined ? '' : `, at least about ${record.seen.input} in, ${record.seen.output} out`}`
      : `  tokens      ${usage.totalInput} in (${usage.cachedRead} cached, ${usage.cacheWrite5m + usage.cacheWrite1h} cache write), ${usage.totalOutput} out (${usage.reasoning} reasoning)`,
  );
  lines.push(
    `  time        ${ms(timing.totalMs)} in all, first byte ${ms(timing.firstByteMs)}, first token ${ms(timing.firstTokenMs)}, Sluice's own ${timing.overheadMs.toFixed(3)} ms`,
  );
  return lines;
}

function gradeLines({ quality }: ExchangeRecord, grades: readonly Grade[]): string[] {
  const lines: string[] = [];
  if (quality?.fault !== null && quality?.fault !== undefined) lines.push(`  checks      ${faultsOfAnswers[quality.fault]}`);
  for (const { source, score, time } of grades)
    if (source !== 'checks') lines.push(`  graded      ${score.toFixed(2)} by ${source} at ${time}`);
  return lines;
}

function originLines(record: ExchangeRecord): string[] {
  const version = record.policy.resourceVersion === null ? '' : `, resourceVersion ${record.policy.resourceVersion}`;
  return [
    '',
    `Policy generation ${record.policy.number} (${record.policy.hash}${version}), section ${record.section ?? 'none'}, ${record.mode}; workspace ${record.workspace}${typeof record.user === 'string' ? `, user ${record.user}` : ''}`,
    `Price catalog ${record.catalogVersion}`,
    ...idLines(record),
    ...(record.arm === null || record.arm === undefined ? [] : [`Experiments: ${record.arm.split(',').join(', ')}`]),
  ];
}

/** The IDs that other systems know this request by. */
function idLines({ responseId, requestId, traceId }: ExchangeRecord): string[] {
  const ids = [
    ['answer', responseId],
    ['request', requestId],
    ['trace', traceId],
  ].flatMap(([what, id]) => (typeof id === 'string' ? [`${what!} ${id}`] : []));
  return ids.length === 0 ? [] : [`Known elsewhere as ${ids.join(', ')}`];
}
