import type { ShapeLeft } from '../apis/shape/types.ts';
import { rateWords } from '../budgets/rate-refusal.ts';
import type { LimitFacts } from '../budgets/rate-types.ts';
import type { BudgetFacts } from '../budgets/types.ts';
import type { PassReason, UsageUnknown } from '../apis/types.ts';
import type { Cost } from '../catalog/types.ts';
import type { ModelsVerdict } from '../router/candidates/types.ts';
import type { RouterVerdict, Unlike } from '../router/model/verdict.ts';
import type { LearningMark } from '../router/online/types.ts';
import type { CheckFault } from '../grades/checks.ts';
import type { Grade } from '../grades/types.ts';
import type { FallbackTrigger, IgnoredClaim, TargetRef } from '../policy/types.ts';
import type { SessionFacts } from '../sessions/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { printableTexts } from '../record/printable.ts';
import type { Decision, DecisionReason, Disqualification } from './types.ts';

const reasons: Readonly<Record<DecisionReason, string>> = {
  tier: 'the decision table chose the cheapest model of the tier that can do the job',
  override: 'an override of the policy matched',
  rule: 'a rule of the policy matched',
  sensitivity: 'the prompt matched a sensitivity pattern, so only the secure model may see it',
  pinned: 'the policy pins the requested model',
  'kept-tier-not-routed': 'the policy does not route this tier',
  'kept-cheapest': 'no model of the tier is cheaper than the requested one',
  'kept-no-candidate': 'no candidate can do the job',
  'kept-unknown-model': 'the catalog does not know the requested model, and the policy keeps such models',
  'kept-operation': 'only generation is routed by tier',
  'kept-by-rule': 'a rule of the policy keeps the requested model',
  learned: 'the learned router expects the cheaper model to do as well, within the promised loss',
  models: 'of several models it costs least for what its expected quality is worth',
  'kept-models': 'of several models none is expected to be good enough for what it saves',
  experiment: 'an experiment forces it for its share of the requests',
  'kept-session': 'an earlier turn of the conversation needed the stronger model',
  'kept-upgraded': 'an answer to a request like this one got a low grade, so the requested model stays for a while',
  'kept-learned': 'grades or the learned router say that the requested model is needed',
  default: "no candidate qualified, so the policy's default answered",
  'cooling-down': 'the chosen model rests after failures, so its first fallback takes its place',
  budget: 'a budget is nearly used up, so a cheaper tier answers',
  'over-budget': 'a budget is used up',
  'over-limit': 'a rate limit is reached',
  'route-off': 'the caller keeps its model (x-sluice-route: off), which no block, secure model, budget or rate limit forbids',
  shadow: 'the section is in shadow mode: nothing is changed',
  blocked: 'the policy refuses this request',
};

const faults: Readonly<Record<Disqualification, string>> = {
  'unknown-model': 'the catalog does not know it',
  'context-window': 'its context window is too small or not stated',
  'max-output': 'it cannot answer at the asked length',
  vision: 'it reads no images',
  tools: 'it calls no tools',
  'json-object': 'it has no JSON mode',
  'json-schema': 'it follows no JSON schema',
  'audio-input': 'it hears no audio',
  'audio-output': 'it speaks no audio',
  files: 'it reads no files',
  reasoning: 'it takes no reasoning setting',
  parameter: 'it refuses a parameter of the request',
  mode: 'this API cannot call it',
  'provider-not-allowed': 'the policy does not allow its provider here',
  dialect: 'its provider speaks another API',
  'not-translatable': 'its API has no place for something in this request',
  'cooling-down': 'it rests after failures',
  'over-budget': 'its budget is used up',
  'over-limit': 'its rate limit is reached',
  'no-credential': 'the gateway has no key for its provider',
  'not-in-envoy': 'Envoy has not taken its provider from the new policy yet',
  'costlier-than-requested': 'it costs more than the requested model',
  'unknown-price': 'its price, or the one to compare with, is unknown',
};

const passReasons: Readonly<Record<PassReason, string>> = {
  'unknown-path': 'its path is no call that Sluice knows',
  'unknown-provider': 'its host and path are of no provider that the policy knows',
  method: 'its method only reads',
  'not-json': 'its body is no JSON',
  'encoded-body': 'its body is compressed in a way that Sluice does not read',
  upgrade: 'it opens a WebSocket',
  'too-large': 'its body is larger than Sluice reads',
  'no-body': 'it has no body',
  'invalid-json': 'its body is broken JSON',
  'too-deep': 'its body is nested too deep',
  'no-model': 'it names no model',
  'model-unreadable': 'its model cannot be read',
  'not-rewritable': 'its model cannot be changed',
  'route-off': 'the caller keeps its model (x-sluice-route: off)',
  'policy-off': 'the policy is off for it',
  draining: 'Sluice was stopping',
  overload: 'Sluice was busy',
  memory: "Envoy's memory had no room for its body",
  unread: 'its body was not read',
  unmasked: 'what is sensitive in it could not be masked',
  'no-gateway-key': 'the gateway has no key for its provider',
  'ambiguous-provider': 'two providers fit its host and path',
  'internal-error': 'Sluice failed',
};

const usageReasons: Readonly<Record<UsageUnknown, string>> = {
  'not-observed': 'the answer was not read',
  'not-sent': 'the provider sent no usage',
  'stream-not-asked': 'the app did not ask the stream for it',
  cut: 'the answer was cut off',
  'too-large': 'the answer was larger than Sluice reads',
  unreadable: 'the answer cannot be read',
  partial: 'only parts of it could be read',
  encoded: 'the answer is compressed in a way that Sluice does not read',
  'error-status': 'the answer is an error',
  dialect: "the answer is not of its API's form",
};

const unknowns: Readonly<Record<string, string>> = {
  model: 'the catalog does not know the model',
  price: 'the catalog lacks a price that is needed',
  usage: 'the token usage is unknown',
  attempt: 'a failed attempt may have cost something',
  beyond: 'more than its tokens is billed, or something that is not known was counted',
};

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

const ignoredWhy: Readonly<Record<IgnoredClaim['why'], string>> = {
  doubled: 'its header came twice',
  untrusted: 'the policy does not believe this caller',
};

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

const triggers: Readonly<Record<FallbackTrigger, string>> = {
  connect: 'no connection could be made',
  reset: 'the connection was cut',
  timeout: 'no answer came in time',
  'server-error': 'the provider failed',
  'rate-limit': 'a rate limit of the provider was reached',
  overloaded: 'the provider is overloaded',
  'model-gone': 'the provider does not know the model',
  'key-dead': 'the provider refused the key',
  'context-window': 'the request is too long for the model',
  'content-filter': "the provider's content filter stopped it",
  refusal: 'the model refused',
  empty: 'the answer was empty',
  length: 'the answer was cut off at the token limit',
  'invalid-json': 'the answer was not the JSON that was asked for',
  'bad-tool-call': 'a tool call had arguments that are no JSON',
  'stream-error': 'the stream began with an error',
  'unsupported-parameter': 'the model refused a parameter of the request',
};

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

const namedBy: Readonly<Record<SessionFacts['source'], string>> = { header: 'a header', body: 'the body', opening: 'its first message' };

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

function verdictLines({ verdict }: ExchangeRecord): string[] {
  if (verdict === null) return [];
  const lines = [
    '',
    `Verdict: ${verdict.tier}, score ${verdict.score.toFixed(3)}, confidence ${verdict.confidence.toFixed(2)}${verdict.unsure ? ' (unsure: the safer tier was taken)' : ''}`,
    `  task ${verdict.task}${verdict.classifiedTask === undefined ? '' : ` (the caller said so; classified as ${verdict.classifiedTask})`}, domain ${verdict.domain}, language ${verdict.language}`,
  ];
  const signals = verdict.signals
    .filter(({ name, share }) => share !== 0 || name.startsWith('example '))
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share) || (a.name < b.name ? -1 : 1));
  for (const { name, value, share } of signals) lines.push(`  ${share < 0 ? '-' : '+'}${Math.abs(share).toFixed(3)}  ${name} = ${value}`);
  return lines;
}

function maskLines({ masked }: ExchangeRecord): string[] {
  return masked === undefined ? [] : ['', `Masked: ${masked.map(({ rule, matches }) => `${matches} of ${rule}`).join(', ')}`];
}

const unlikes: Readonly<Record<Unlike, string>> = {
  words: 'it does not know the words',
  kind: 'it was calibrated on other kinds of work',
  language: 'it knows English only',
  tools: 'it has not seen tools',
  media: 'it reads text only',
  conversation: 'it has not seen conversations',
};

function learnedLines(learned: RouterVerdict): string[] {
  const limit = learned.threshold === null ? 'no threshold keeps the promise' : `threshold ${learned.threshold.toFixed(3)}`;
  const from =
    learned.calibration === null
      ? learned.acts
        ? 'the strictest of all pairs'
        : 'no calibration of this pair: only recorded'
      : `calibrated on ${learned.calibration}`;
  const lines = [
    '',
    `Learned router ${learned.model}: gain of the stronger model ${learned.gain.toFixed(3)} ± ${learned.uncertainty.toFixed(3)}, ${learned.says === null ? 'no verdict' : `so the ${learned.says} model`}`,
  ];
  lines.push(
    `  ${limit} for ${(learned.maxLoss * 100).toFixed(1)}% loss (${from}); it knows ${(learned.familiarity * 100).toFixed(0)}% of the words`,
  );
  if (learned.abstained !== null) lines.push(`  abstained: ${unlikes[learned.abstained]}`);
  for (const { name, share } of learned.influences) lines.push(`  ${share < 0 ? '-' : '+'}${Math.abs(share).toFixed(3)}  ${name}`);
  return lines;
}

const objectives = (objective: ModelsVerdict['objective']): string =>
  objective.kind === 'loss'
    ? `the cheapest within ${(objective.maxLoss * 100).toFixed(1)}% loss`
    : objective.kind === 'cost'
      ? `the best within ${(objective.maxShare * 100).toFixed(0)}% of the cost`
      : `a point of quality is worth $${(objective.usd / 100).toPrecision(3)}`;

function modelsLines({ model, objective, usdPerScore, candidates, probe }: ModelsVerdict): string[] {
  const price =
    usdPerScore === null
      ? 'too little traffic for a price of quality: held for this request alone'
      : `over the last requests a point of quality is worth $${(usdPerScore / 100).toPrecision(3)}`;
  const lines = ['', `Models compared by quality model ${model}: ${objectives(objective)}; ${price}`];
  for (const [at, one] of candidates.entries()) {
    const known = one.usable ? '' : '; neither public outcomes nor grades enough: not taken';
    lines.push(
      `  ${one.model}: the requested model gains ${one.expected.toFixed(3)} ± ${one.spread.toFixed(3)} (${one.gain.toFixed(3)} before ${Math.round(one.grades)} grades)${known}${at === probe ? '; drawn by lot' : ''}`,
    );
  }
  return lines;
}

const whys: Readonly<Record<LearningMark['why'], string>> = {
  upgrade: 'an answer to a request like it got a low grade',
  probe: 'drawn by lot, so that both models get grades',
  grades: 'by the grades of its template and workspace',
  prior: 'too little traffic yet to say anything',
};

function learningLines({ template, why, says, gain, expected, spread, index, threshold }: LearningMark): string[] {
  const lines = [
    '',
    `Learning from grades: template ${template}, ${says === null ? 'says nothing' : `the ${says === 'weak' ? 'weak' : 'requested'} model`} (${whys[why]})`,
  ];
  if (gain !== null && expected !== null && spread !== null) {
    lines.push(
      `  gain ${gain.toFixed(3)} by the router, ${expected.toFixed(3)} ± ${spread.toFixed(3)} after the grades${index === undefined ? '' : `, ${index.toFixed(3)} with a margin for its error`}; ${threshold === null ? 'no threshold keeps the promise' : `threshold ${threshold.toFixed(3)}`}`,
    );
  }
  return lines;
}

/** The parameter that a model refuses, or what its API has no place for. */
function aboutFault({ refused, obstacles }: Decision['candidates'][number]): string {
  if (refused !== undefined) return ` (${refused})`;
  return obstacles === undefined ? '' : ` (${obstacles.map(({ path, why }) => `${path} ${why}`.trim()).join('; ')})`;
}

function decisionLines(decision: Decision): string[] {
  if (decision.candidates.length === 0) return ['', 'Candidates: none was looked at'];
  const rows = decision.candidates.map((candidate) => [
    candidate.chosen ? '*' : ' ',
    target(candidate.target),
    candidate.tier,
    candidate.outputTokens === undefined ? money(candidate.estimate) : `${money(candidate.estimate)} (${candidate.outputTokens} tokens)`,
    candidate.disqualified === null
      ? candidate.chosen
        ? 'chosen'
        : 'can do it, not chosen'
      : `no: ${faults[candidate.disqualified]}${aboutFault(candidate)}`,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return [
    '',
    `Candidates, estimated for ${decision.assumedOutputTokens} output tokens (requested model: ${money(decision.baselineEstimate)})`,
    ...rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`),
  ];
}

const budgetActions: Readonly<Record<BudgetFacts['action'], string>> = {
  counted: 'counted',
  cheaper: 'moved the request to a cheaper tier',
  refused: 'refused the request',
  uncounted: 'could not be asked; the request went on',
};

function budgetLines(record: ExchangeRecord): string[] {
  // Records written before budgets existed have no such field.
  const budgets = (record as Partial<ExchangeRecord>).budgets ?? [];
  if (budgets.length === 0) return [];
  const usd = (amount: number): string => `$${amount.toFixed(8)}`;
  return [
    '',
    'Budgets',
    ...budgets.map(({ budget, of, action, reserved, used, limit }) => {
      const values = Object.entries(of).map(([key, value]) => ` ${key} ${value}`);
      return `  ${budget}${values.length === 0 ? '' : ` for${values.join(',')}`}: ${budgetActions[action]}; used ${used === null ? 'unknown' : usd(used)} of ${usd(limit)}${reserved === null ? '' : `, ${usd(reserved)} set aside for this request`}`;
    }),
  ];
}

const limitActions: Readonly<Record<LimitFacts['action'], string>> = {
  counted: 'counted',
  over: 'beyond the limit, and let go on',
  refused: 'refused the request',
  uncounted: 'could not be asked; the request went on',
};

function limitLines({ limits = [] }: ExchangeRecord): string[] {
  if (limits.length === 0) return [];
  return [
    '',
    'Rate limits',
    ...limits.map((facts) => {
      const { limit, of, action, reserved, used } = facts;
      const values = Object.entries(of).map(([key, value]) => ` ${key} ${value}`);
      return `  ${limit}${values.length === 0 ? '' : ` for${values.join(',')}`}, ${rateWords(facts)}: ${limitActions[action]}; ${used ?? 'unknown'} used${reserved === null ? '' : `, ${reserved} set aside for this request`}`;
    }),
  ];
}

const leftAlone: Readonly<Record<ShapeLeft, string>> = {
  'not-taken': 'a model that may answer does not take it',
  'no-place': 'the API has no place for it here',
  'not-said': 'the app does not ask for it',
};

function shapeLines({ decision, mode, shapeSavings }: ExchangeRecord): string[] {
  const shape = decision?.shape;
  if (shape === undefined) return [];
  return [
    '',
    `Shape, by ${shape.by.join(', ')}${mode === 'enabled' ? '' : ' (shadow mode: nothing was changed)'}`,
    ...shape.changes.map(({ path, from, to }) => `  ${path}: ${from ?? 'not said'} → ${to}`),
    ...shape.left.map(({ part, why }) => `  ${part} is left alone: ${leftAlone[why]}`),
    ...(shape.changes.length + shape.left.length === 0 ? ['  nothing to cap: the app asks for no more'] : []),
    ...(shapeSavings === undefined ? [] : [`  saved about ${money(shapeSavings)}, counted apart from what routing saved`]),
  ];
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

const faultsOfAnswers: Readonly<Record<CheckFault, string>> = {
  refusal: 'the model refuses',
  'content-filter': 'a content filter stopped it',
  length: 'it is cut off at the token limit',
  empty: 'it is empty',
  'bad-tool-call': 'a tool call has arguments that are no JSON',
  'invalid-json': 'it is not the JSON that was asked for',
};

function gradeLines({ quality }: ExchangeRecord, grades: readonly Grade[]): string[] {
  const lines: string[] = [];
  if (quality?.fault !== null && quality?.fault !== undefined) lines.push(`  checks      ${faultsOfAnswers[quality.fault]}`);
  for (const { source, score, time } of grades)
    if (source !== 'checks') lines.push(`  graded      ${score.toFixed(2)} by ${source} at ${time}`);
  return lines;
}

function moneyLines({ cost, baseline, savings, baselineBasis: basis }: ExchangeRecord): string[] {
  const against =
    basis === undefined
      ? 'requested model, same usage'
      : `${basis.target}, ${basis.tokens === 'same' ? 'same usage' : 'the tokens that it typically takes'}`;
  const between =
    basis === undefined || basis.low === null || basis.high === null
      ? ''
      : ` (90% between $${basis.low.toFixed(8)} and $${basis.high.toFixed(8)})`;
  return ['', `Cost ${money(cost)}`, `  ${against}: ${money(baseline)}${between}`, `  saved: ${money(savings)}`];
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

function target({ provider, model }: TargetRef): string {
  return `${provider}/${model}`;
}

/** Eight decimals: a short prompt on a small model costs millionths of a dollar. */
function money(cost: Cost): string {
  if (!cost.known)
    return `${cost.atLeastUsd === undefined ? 'unknown' : `at least $${cost.atLeastUsd}`}: ${unknowns[cost.reason] ?? cost.reason}`;
  return `${cost.usd < 0 ? '-' : ''}$${Math.abs(cost.usd).toFixed(8)}`;
}

function ms(value: number | null): string {
  return value === null ? 'not seen' : `${value.toFixed(1)} ms`;
}
