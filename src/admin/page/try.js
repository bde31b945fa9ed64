import { because, signals, titleOf } from '/page/explain.js';
import { by, costText, element, known, pill } from '/page/format.js';
import { problems } from '/page/policy.js';
import { ask } from '/page/server.js';

const field = (name) => document.querySelector(`#try-form [name=${name}]`);
/** File name → text: as it is in force, and as it was edited here. */
let running = new Map();
const edits = new Map();

/** The files of the policy in force, to be edited; what was edited already stays. */
export function offerPolicy(files) {
  const next = new Map(files.map(({ name, text }) => [name, text]));
  if ([...next].every(([name, text]) => running.get(name) === text) && next.size === running.size) return;
  running = next;
  const select = field('file');
  const chosen = next.has(select.value) ? select.value : (files[0]?.name ?? '');
  select.replaceChildren(...files.map(({ name }) => element('option', { value: name }, name.split('/').at(-1))));
  select.value = chosen;
  select.hidden = files.length < 2;
  showFile();
}

function showFile() {
  const { value } = field('file');
  field('policy').value = edits.get(value) ?? running.get(value) ?? '';
}

async function decide(event) {
  event.preventDefault();
  const form = new FormData(by('try-form'));
  const token = form.get('token');
  const body = JSON.stringify({ model: form.get('model'), messages: [{ role: 'user', content: form.get('prompt') }] });
  const changed = [...edits].some(([name, text]) => running.get(name) !== text);
  try {
    const result = await ask('/try', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({
        body,
        headers: form.get('workspace') === '' ? {} : { 'x-sluice-workspace': form.get('workspace') },
        ...(changed ? { policy: [...running].map(([name, text]) => ({ name, text: edits.get(name) ?? text })) } : {}),
      }),
    });
    const differ = result.edited !== null && servedBy(result.edited) !== servedBy(result.running);
    by('tried').replaceChildren(
      outcome('By the policy in force', result.running, false),
      result.edited === null
        ? element(
            'div',
            { class: 'verdict' },
            element('h3', {}, 'By an edited policy'),
            element('p', { class: 'note' }, 'Edit the policy above to compare.'),
          )
        : outcome(
            result.edited.kind === 'refused'
              ? 'By the edited policy: this policy is not valid'
              : differ
                ? 'By the edited policy: another model'
                : 'By the edited policy: the same',
            result.edited,
            differ,
          ),
    );
  } catch (error) {
    by('tried').replaceChildren(element('p', { class: 'bad' }, error.message));
  }
}

const servedBy = (found) => (found.kind === 'decided' ? (found.record.servedModel ?? 'refused') : found.kind);

function outcome(title, found, differs) {
  return element('div', { class: `verdict ${differs ? 'other' : ''}` }, element('h3', {}, title), ...parts(found));
}

function parts(found) {
  if (found.kind === 'passed')
    return [element('p', { class: 'served' }, 'Untouched'), element('p', {}, `It would pass as the app sent it: ${found.reason}.`)];
  if (found.kind === 'refused')
    return [
      element('p', { class: 'bad' }, 'This policy is not valid. Sluice would refuse it and keep the one in force:'),
      problems(found.problems),
    ];
  const { record, text } = found;
  const { verdict, decision } = record;
  return [
    element('p', { class: 'served' }, decision?.action === 'block' ? 'Refused' : titleOf(record)),
    ...(verdict === null
      ? []
      : [pill(verdict.tier, known.includes(verdict.tier) ? verdict.tier : ''), ` score ${verdict.score.toFixed(2)}`]),
    element('p', {}, because(text)),
    ...(decision === null
      ? []
      : [
          element(
            'p',
            { class: 'note' },
            `Estimated ${costText(decision.estimate)}, the requested model ${costText(decision.baselineEstimate)}.`,
          ),
        ]),
    ...(verdict === null ? [] : [element('details', {}, element('summary', {}, 'Signals'), signals(verdict))]),
    element('details', {}, element('summary', {}, 'In words'), element('pre', {}, text)),
  ];
}

export function startTry() {
  by('try-form').addEventListener('submit', (event) => void decide(event));
  field('file').addEventListener('change', showFile);
  field('policy').addEventListener('input', () => edits.set(field('file').value, field('policy').value));
  by('reset').addEventListener('click', () => {
    edits.clear();
    showFile();
  });
}
