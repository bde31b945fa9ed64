import { explain } from '/page/explain.js';
import { by, clock, costText, day, duration, element, known, number, percent, pill, say, table } from '/page/format.js';
import { ask } from '/page/server.js';

const shown = 20;
let paused = false;
let conditions = [];
let newest = '';
let seen = new Set();

/** The newest decisions, or those that the conditions pick. */
export async function decisions() {
  if (paused) return;
  const query = new URLSearchParams([['limit', String(shown)], ...conditions.map((condition) => ['where', condition])]);
  let found;
  try {
    ({ decisions: found } = await ask(`/decisions?${query}`));
  } catch (error) {
    if (error.code === undefined) throw error;
    // What was asked for is wrong, not the server.
    say('live-note', error.message);
    by('live-note').className = 'note bad';
    return;
  }
  by('live-note').className = 'note';
  say('live-note', conditions.length === 0 ? 'The newest of this process, as they come.' : `From the ledger: ${conditions.join(', ')}.`);
  const state = `${conditions.join()} ${found.map(({ id }) => id).join()}`;
  if (state === newest) return;
  newest = state;
  show(found);
}

function show(found) {
  const held = document.activeElement?.dataset?.id;
  const fresh = seen.size === 0 ? new Set() : new Set(found.map(({ id }) => id).filter((id) => !seen.has(id)));
  seen = new Set(found.map(({ id }) => id));
  if (found.length === 0) {
    by('decisions').replaceChildren(
      element(
        'p',
        { class: 'note' },
        conditions.length === 0 ? 'Nothing yet: send a request through Envoy, or try a prompt below.' : 'No decision is like that.',
      ),
    );
    return;
  }
  const heads = [
    'Time (UTC)',
    'Workspace',
    'Asked for → served by',
    'Tier',
    'Why',
    'Ended',
    number('Cost'),
    number('Saved'),
    number('Took'),
  ];
  by('decisions').replaceChildren(
    table(
      heads,
      found.map((record) => row(record, fresh.has(record.id))),
      { class: 'stack' },
    ),
  );
  if (held !== undefined) document.querySelector(`#decisions [data-id="${CSS.escape(held)}"]`)?.focus();
}

function row(record, fresh) {
  const { decision, timing } = record;
  const tier = decision?.tier ?? record.cacheEntry?.tier ?? null;
  const when =
    day(record.time) === day(new Date().toISOString()) ? clock(record.time) : `${record.time.slice(5, 10)} ${clock(record.time)}`;
  const open = element(
    'button',
    {
      type: 'button',
      class: 'link',
      'data-id': record.id,
      'aria-label': `Explain the decision of ${record.time.slice(0, 19).replace('T', ' ')}: ${record.requestedModel ?? 'no model'}`,
    },
    when,
  );
  const cells = [
    element('td', {}, open),
    element('td', { class: 'workspace' }, record.workspace),
    element('td', { class: 'way' }, ...way(record)),
    element('td', {}, tier === null ? '–' : pill(tier, known.includes(tier) ? tier : '')),
    element('td', {}, decision?.reason ?? record.passReason ?? (record.kind === 'cached' ? 'cache' : '–')),
    element('td', { class: 'ended' }, ended(record)),
    element(
      'td',
      { class: 'number', 'data-name': 'cost' },
      record.cost.known ? costText(record.cost) : element('span', { class: 'note', title: costText(record.cost) }, 'unknown'),
    ),
    element('td', { class: 'number', 'data-name': 'saved' }, saved(record)),
    element('td', { class: 'number', 'data-name': 'took' }, duration(timing.totalMs)),
  ];
  return element('tr', { ...(fresh ? { class: 'new' } : {}), onclick: () => void explain(record.id) }, ...cells);
}

/** From what was asked for to what answered, with what happened on the way. */
export function way({ requestedModel, servedModel, attempts, cacheEntry }) {
  const parts =
    servedModel === null || servedModel === requestedModel
      ? [requestedModel ?? '–']
      : [element('del', {}, requestedModel ?? '–'), ' → ', element('strong', {}, servedModel)];
  if (cacheEntry !== null) parts.push(' ', pill('cache'));
  if (attempts.length > 1) parts.push(' ', pill(`${attempts.length} attempts`));
  return parts;
}

const fine = ['complete'];

export const ended = ({ outcome, status }) =>
  pill(status === null || fine.includes(outcome) ? outcome : `${outcome} ${status}`, fine.includes(outcome) ? 'simple' : 'bad');

function saved({ savings, baseline }) {
  if (!savings.known) return element('span', { class: 'note' }, 'unknown');
  if (savings.usd === 0) return element('span', { class: 'note' }, '–');
  if (savings.usd < 0) return costText(savings);
  return element('span', { class: 'good' }, baseline.known && baseline.usd > 0 ? percent(savings.usd / baseline.usd) : costText(savings));
}

export function startDecisions() {
  by('filter').addEventListener('submit', (event) => {
    event.preventDefault();
    conditions = by('where')
      .value.split(/\s+/)
      .filter((condition) => condition !== '');
    newest = '';
    seen = new Set();
    if (paused) by('pause').click();
    void decisions();
  });
  by('pause').addEventListener('click', () => {
    paused = !paused;
    by('pause').setAttribute('aria-pressed', String(paused));
    say('pause', paused ? 'Go on' : 'Pause');
  });
}
