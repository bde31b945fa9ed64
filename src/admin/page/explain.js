import { by, costText, count, duration, element, known, number, pill, table, whole } from '/page/format.js';
import { cacheText, faultText, outcomeText, signalText, triggerText, usageText } from '/page/reasons.js';
import { ask } from '/page/server.js';
import { change } from '/page/view.js';

/** Opens the explanation of a decision. */
export async function explain(id) {
  const body = by('explain-body');
  change({ decision: id }, { silent: true });
  body.replaceChildren(element('p', { class: 'note' }, 'Reading …'));
  by('explain-title').textContent = 'Why';
  if (!by('explain').open) by('explain').showModal();
  try {
    const [record, text] = await Promise.all([
      ask(`/decisions/${id}`),
      fetch(`/decisions/${id}?format=text`).then((response) => response.text()),
    ]);
    by('explain-title').textContent = titleOf(record);
    body.replaceChildren(...explanation(record, text));
  } catch (error) {
    body.replaceChildren(element('p', { class: 'bad' }, error.message));
  }
}

export const titleOf = ({ requestedModel, servedModel }) =>
  servedModel === null || servedModel === requestedModel
    ? (requestedModel ?? 'no model')
    : `${requestedModel ?? 'no model'} → ${servedModel}`;

/** The sentence of `sluice explain` that says why. */
export function because(text) {
  const said = Object.fromEntries(
    [...text.matchAll(/^ {2}(because|untouched|from cache|refused) +(\S.*)$/gm)].map(([, what, why]) => [what, why]),
  );
  const { because: reason, untouched, refused } = said;
  if (untouched !== undefined) return `Passed untouched: ${untouched.replace(/ \([a-z-]+\)$/, '')}.`;
  if (said['from cache'] !== undefined) return `From the cache: ${said['from cache']}.`;
  const why = reason ?? refused ?? '';
  const told = reason === undefined || refused === undefined ? '' : ` The app was told: ${refused}`;
  return why === '' ? '' : `${why[0].toUpperCase()}${why.slice(1)}.${told}`;
}

function explanation(record, text) {
  const { verdict, decision, attempts } = record;
  return [
    pills(record),
    element('p', { class: 'lead' }, because(text)),
    facts(record),
    ...(verdict === null
      ? []
      : [
          element('h3', {}, `What made it ${verdict.tier}: score ${verdict.score.toFixed(2)}, confidence ${verdict.confidence.toFixed(2)}`),
          signals(verdict),
        ]),
    ...(decision === null || decision.candidates.length === 0 ? [] : [element('h3', {}, 'Candidates'), candidates(decision)]),
    ...(attempts.length === 0 ? [] : [element('h3', {}, attempts.length === 1 ? 'The call' : 'Attempts'), attemptTable(attempts)]),
    element('details', {}, element('summary', {}, 'In words, as sluice explain says it'), element('pre', { id: 'explain-text' }, text)),
    element('details', {}, element('summary', {}, 'The whole record'), element('pre', {}, JSON.stringify(record, null, 2))),
  ];
}

function pills({ verdict, decision, cacheEntry, attempts, outcome, status, stream }) {
  const tier = decision?.tier ?? cacheEntry?.tier ?? verdict?.tier;
  return element(
    'div',
    { class: 'pills' },
    ...(tier === undefined || tier === null ? [] : [pill(tier, known.includes(tier) ? tier : '')]),
    pill(status === null ? outcomeText(outcome) : `${outcomeText(outcome)}, ${status}`, outcome === 'complete' ? 'simple' : 'bad'),
    ...(cacheEntry === null ? [] : [pill('from the cache')]),
    ...(attempts.length > 1 ? [pill(`${attempts.length} attempts`)] : []),
    ...(stream ? [pill('stream')] : []),
  );
}

function facts({
  id,
  responseId,
  requestId,
  traceId,
  time,
  workspace,
  section,
  policy,
  cost,
  baseline,
  savings,
  usage,
  usageUnknown,
  timing,
  cache,
  arm,
}) {
  const lines = [
    ['Cost', costText(cost)],
    ['At the requested model', costText(baseline)],
    ['Saved', costText(savings)],
    ['Tokens in, out', usage === null ? `unknown: ${usageText(usageUnknown)}` : `${count(usage.totalInput)}, ${count(usage.totalOutput)}`],
    ['Took', duration(timing.totalMs)],
    ['First token', duration(timing.firstTokenMs)],
    ["Sluice's own time", duration(timing.overheadMs)],
    ['Workspace', workspace],
    ['Policy', `generation ${policy.number}, ${policy.hash.slice(0, 8)}${section === null ? '' : `, section ${section}`}`],
    ['Cache', cacheText(cache)],
    ...(arm === null ? [] : [['Experiment arm', arm]]),
    ['Time (UTC)', whole(time.slice(0, 10)), ' ', time.slice(11, 19)],
    ['Id', id],
    ...[
      ["The provider's id", responseId],
      ["The app's id", requestId],
      ['Trace', traceId],
    ].filter(([, value]) => typeof value === 'string'),
  ];
  return element(
    'dl',
    { class: 'facts' },
    ...lines.map(([name, ...value]) =>
      element(
        'div',
        ['Policy', 'Time (UTC)', 'Id', "The provider's id", "The app's id", 'Trace'].includes(name) ? { class: 'long' } : {},
        element('dt', {}, name),
        element('dd', {}, ...value),
      ),
    ),
  );
}

/** Each signal's share of the score, from the middle: to the left simpler, to the right harder. */
export function signals({ signals: all }) {
  const told = all
    .filter(({ share }) => share !== 0)
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share))
    .slice(0, 10);
  if (told.length === 0) return element('p', { class: 'note' }, 'No signal moved the score.');
  const most = Math.max(...told.map(({ share }) => Math.abs(share)));
  const line = (signal) => {
    const { share } = signal;
    const width = (Math.abs(share) / most) * 50;
    return element(
      'li',
      {},
      element('span', {}, signalText(signal)),
      element('span', { class: `track ${share < 0 ? 'down' : 'up'}`, '--from': `${share < 0 ? 50 - width : 50}%`, '--width': `${width}%` }),
      element('span', { class: 'number' }, `${share < 0 ? '−' : '+'}${Math.abs(share).toFixed(3)}`),
    );
  };
  return element('ul', { class: 'signals' }, ...told.map(line));
}

function candidates({ candidates: all }) {
  const verdictOf = ({ disqualified, chosen }) =>
    chosen ? element('span', { class: 'good' }, 'chosen') : disqualified === null ? 'able, not chosen' : faultText(disqualified);
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Candidates' },
    table(
      ['Model', 'Tier', number('Estimate'), 'Verdict'],
      all.map((candidate) => [
        `${candidate.target.provider}/${candidate.target.model}`,
        pill(candidate.tier, known.includes(candidate.tier) ? candidate.tier : ''),
        number(costText(candidate.estimate)),
        verdictOf(candidate),
      ]),
    ),
  );
}

function attemptTable(attempts) {
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Attempts' },
    table(
      ['No.', 'Target', 'Ended', 'Went on because', number('Took'), number('Cost')],
      attempts.map(({ target, outcome, status, reason, ms, cost }, at) => [
        String(at + 1),
        `${target.provider}/${target.model}`,
        status === null ? outcomeText(outcome) : `${outcomeText(outcome)}, ${status}`,
        reason === null ? '–' : triggerText(reason),
        number(duration(ms)),
        number(costText(cost)),
      ]),
    ),
  );
}

export function startExplain() {
  by('explain-close').addEventListener('click', () => by('explain').close());
  by('explain').addEventListener('close', () => change({ decision: null }, { silent: true }));
  by('explain').addEventListener('click', (event) => {
    // A click on the backdrop is a click on the dialog itself.
    if (event.target === by('explain')) by('explain').close();
  });
}
