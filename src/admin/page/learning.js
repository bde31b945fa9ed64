import { by, count, dollars, element, number, pill, table } from '/page/format.js';
import { ask } from '/page/server.js';

const shownTemplates = 8;
const plusMinus = ({ mean, error }) => `${mean.toFixed(3)} ± ${error.toFixed(3)}`;

/** The router's state: what it believes of each pair of models and each template, by the grades that it was told. */
export async function learning() {
  const found = await ask('/learning');
  const shown = JSON.stringify(found);
  if (by('router').dataset.shown === shown) return;
  by('router').dataset.shown = shown;
  const { frozen, grades, pairs, compared, upgrades } = found;
  by('router').replaceChildren(
    element(
      'p',
      { class: 'note' },
      grades === 0
        ? 'No grade has come yet: the router decides by its model alone.'
        : `${count(grades)} grade${grades === 1 ? '' : 's'} learnt from. `,
      ...(frozen ? [pill('frozen', 'complex')] : []),
    ),
    ...pairs.flatMap(pair),
    ...compared.flatMap(several),
    ...(upgrades.length === 0
      ? []
      : [
          element('h3', {}, `Upgrades in force: ${count(upgrades.length)}`),
          element(
            'ul',
            {},
            ...upgrades
              .slice(0, shownTemplates)
              .map(({ workspace, template, until }) =>
                element(
                  'li',
                  {},
                  `${workspace}: template ${template}, until ${new Date(until).toISOString().slice(0, 16).replace('T', ' ')} UTC`,
                ),
              ),
          ),
        ]),
  );
}

function pair({ workspace, pair: { weak, strong }, seen, threshold, level, newTemplate, templates }) {
  const name = (target) => (typeof target === 'string' ? target : `${target.provider}/${target.model}`);
  return [
    element('h3', {}, `${workspace}: ${name(weak)} or ${name(strong)}`),
    element(
      'p',
      { class: 'note' },
      `Threshold: ${threshold === null ? 'not set yet' : threshold.toFixed(3)}, from ${count(seen)} request${seen === 1 ? '' : 's'} of this process. The strong model is expected to score ${level.toFixed(3)}; on a new template it gains ${plusMinus(newTemplate)} more than the router’s model says.`,
    ),
    ...(templates.length === 0
      ? []
      : [
          table(
            ['Template', 'Kind', number('Grades'), number('Gain beyond what the router’s model says'), 'Last grade'],
            templates
              .slice(0, shownTemplates)
              .map(({ template, kind, grades, deviation, lastGrade }) => [
                template,
                kind === '' ? '–' : kind,
                number(count(grades)),
                number(plusMinus(deviation)),
                lastGrade.slice(0, 10),
              ]),
          ),
        ]),
  ];
}

function several({ workspace, requested, seen, usdPerPoint, level, models }) {
  return [
    element('h3', {}, `${workspace}: others in place of ${requested}`),
    element(
      'p',
      { class: 'note' },
      `${usdPerPoint === null ? 'No price of quality yet' : `A point of quality is worth ${dollars(usdPerPoint)}`}, over ${count(seen)} request${seen === 1 ? '' : 's'}; ${requested} is expected to score ${level.toFixed(3)}.`,
    ),
    table(
      ['Model', number('Grades'), number('Belief: gain beyond public outcomes')],
      models
        .slice(0, shownTemplates)
        .map(({ model, grades, beyondOutcomes }) => [model, number(count(grades)), number(plusMinus(beyondOutcomes))]),
    ),
  ];
}
