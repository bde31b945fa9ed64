import { by, count, dollars, duration, element, number, percent, pill, table } from '/page/format.js';
import { budgetNames } from '/page/reasons.js';
import { ask } from '/page/server.js';

/** How each thing that is compared is written. */
const amounts = { cost: dollars, latency: duration, errors: percent };
const amountOf = (metric) => amounts[metric] ?? ((value) => value.toFixed(3));

const names = { quality: 'grades, 0 to 1', checks: 'form of answers, 0 to 1', errors: 'answered without an error' };

const arm = (metric, { observations, mean }) => (mean === null ? '–' : `${amountOf(metric)(mean)} (${count(observations)})`);

/** Treatment against control, and how far the evidence of harm has come. */
function figures(found, name) {
  const rows = Object.entries(found).map(([metric, { control, treatment, evidence, threshold, harm }]) => [
    names[metric] ?? metric,
    number(arm(metric, control)),
    number(arm(metric, treatment)),
    // Before both arms have an answer there is nothing to judge.
    control.mean === null || treatment.mean === null
      ? '–'
      : {
          is: element(
            'div',
            { class: 'strip', '--from': '0%', '--to': `${Math.min(100, (evidence / threshold) * 100).toFixed(1)}%` },
            element('i'),
          ),
          class: harm ? 'evidence bad' : 'evidence',
        },
    number(control.mean === null || treatment.mean === null ? '–' : percent(evidence / threshold)),
  ]);
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Figures of ${name}` },
    table(['Mean (answers)', number('Control'), number('Treatment'), 'Evidence of harm', number('Alarm at 100%')], rows),
  );
}

const colours = { running: 'simple', stopped: '', harm: 'bad' };
const states = { running: 'running', stopped: 'stopped', harm: 'ended: it does harm' };

/** Experiments of the policy in force, and the policy that takes another's place by shares. */
export async function trials() {
  const [{ experiments }, { candidate, kept }] = await Promise.all([ask('/experiments'), ask('/rollout')]);
  const shown = JSON.stringify([experiments, candidate, kept]);
  if (by('experiments').dataset.shown === shown) return;
  by('experiments').dataset.shown = shown;
  by('experiments').replaceChildren(
    ...(experiments.length === 0
      ? [element('p', { class: 'note' }, 'The policy in force has no experiments.')]
      : experiments.flatMap(({ name, state, share, figures: found }) => [
          element('h3', {}, name, ' ', pill(states[state] ?? state, colours[state] ?? ''), ` ${percent(share)} of the requests that match`),
          figures(found, name),
        ])),
  );
  by('rollout').replaceChildren(
    ...(candidate === null
      ? []
      : [
          element(
            'p',
            {},
            pill('rolling out', 'standard'),
            ` ${candidate.policy.slice(0, 8)} answers ${percent(candidate.share)} of the requests, stage ${candidate.stage} of ${candidate.stages.length}, ${count(candidate.answers)} answers so far.`,
          ),
          figures(candidate.figures, 'the rollout'),
        ]),
    ...(candidate === null && kept !== null
      ? [
          element(
            'p',
            { class: 'note' },
            `The policy before (${kept.policy.slice(0, 8)}) can be brought back at once until ${kept.until.slice(0, 16).replace('T', ' ')} UTC.`,
          ),
        ]
      : []),
  );
}

const budgetStates = { ok: '', soft: 'warned', cheaper: 'warned', 'used-up': 'bad' };

/** What is left of each budget, the fullest first. */
export async function budgets() {
  const { budgets: found } = await ask('/budgets?limit=6');
  by('budgets-card').hidden = found.length === 0;
  const shown = JSON.stringify(found);
  if (by('budgets').dataset.shown === shown) return;
  by('budgets').dataset.shown = shown;
  const line = ({ budget, of, period, spentUsd, reservedUsd, limitUsd, used, state }) => {
    const whose = Object.values(of).join(', ');
    return element(
      'li',
      { '--share': `${Math.max(0.5, Math.min(100, used * 100))}%`, class: `state ${state}` },
      element(
        'span',
        {},
        `${budget}${whose === '' ? '' : `: ${whose}`} `,
        ...(state === 'ok' ? [] : [pill(budgetNames[state] ?? state, budgetStates[state])]),
      ),
      element(
        'span',
        { class: 'value' },
        dollars(spentUsd + reservedUsd),
        ' ',
        element('small', {}, `of ${dollars(limitUsd)} a ${period}`),
      ),
    );
  };
  by('budgets').replaceChildren(element('ul', { class: 'bars' }, ...found.map(line)));
}

/** What is used of each rate limit, the fullest first. */
export async function limits() {
  const { limits: found } = await ask('/limits?limit=6');
  by('limits-card').hidden = found.length === 0;
  const shown = JSON.stringify(found);
  if (by('limits').dataset.shown === shown) return;
  by('limits').dataset.shown = shown;
  const line = ({ limit, of, kind, period, used, max, ratio, mode, state }) => {
    const whose = Object.values(of).join(', ');
    const what = period === null ? 'at once' : `${kind} a ${period}`;
    return element(
      'li',
      { '--share': `${Math.max(0.5, Math.min(100, ratio * 100))}%` },
      element(
        'span',
        {},
        `${limit}${whose === '' ? '' : `: ${whose}`} `,
        ...(state === 'ok' ? [] : [pill(mode === 'soft' ? 'beyond' : 'reached', mode === 'soft' ? 'complex' : 'bad')]),
      ),
      element('span', { class: 'value' }, count(used), ' ', element('small', {}, `of ${count(max)} ${what}`)),
    );
  };
  by('limits').replaceChildren(element('ul', { class: 'bars' }, ...found.map(line)));
}
