import { explain } from '/page/explain.js';
import { download } from '/page/export.js';
import { by, clock, costText, day, duration, element, known, number, percent, pill, say, table } from '/page/format.js';
import { outcomeText, reasonText } from '/page/reasons.js';
import { ask, askText } from '/page/server.js';
import { change, conditions, current, onChange, period } from '/page/view.js';

const shown = 20;
/** Reasons of records that were not decided, by their kind. */
const ownKinds = { cached: 'cache', shadow: 'copy', judge: 'judge' };
/** Of one export: what the server gives at once. */
const exported = 2_000;
let paused = false;
let newest = '';
let seen = new Set();
/** Where pages before this one ended, `{ time, shown }`: the ids of that millisecond that were on them. Empty: the newest page. */
let cursors = [];
let page = [];

/** Whether the newest of this process are shown as they come, or what the ledger has. */
const isLive = () => conditions().length === 0 && current().id === '' && current().range === null && cursors.length === 0;

function queryFor(limit) {
  const { id } = current();
  const cursor = cursors.at(-1);
  const span = period();
  const times = isLive()
    ? []
    : id !== '' && cursor === undefined
      ? []
      : cursor === undefined
        ? Object.entries(span)
        : [
            ['from', span.from ?? '1970-01-01'],
            // Others of the same millisecond may be on the next page.
            ['to', new Date(Date.parse(cursor.time) + 1).toISOString()],
          ];
  return new URLSearchParams([
    ['limit', String(Math.min(exported, limit + (cursor?.shown.length ?? 0)))],
    ...times,
    ...conditions().map((condition) => ['where', condition]),
    ...(id === '' ? [] : [['id', id]]),
  ]);
}

/** The newest decisions, or those that filters, conditions and an id pick. */
export async function decisions() {
  if (paused) return;
  let found;
  try {
    // One more than is shown says whether there are older ones.
    ({ decisions: found } = await ask(`/decisions?${queryFor(shown + 1)}`));
    const before = cursors.at(-1)?.shown ?? [];
    found = found.filter(({ id }) => !before.includes(id));
  } catch (error) {
    if (error.code === undefined) throw error;
    // What was asked for is wrong, not the server.
    say('live-note', error.message);
    by('live-note').className = 'note bad';
    return;
  }
  by('live-note').className = 'note';
  const asked = [...conditions(), ...(current().id === '' ? [] : [`id ${current().id}`])];
  say(
    'live-note',
    isLive()
      ? 'The newest of this process, as they come.'
      : `From the ledger${asked.length === 0 ? '' : `: ${asked.join(', ')}`}${cursors.length === 0 ? '' : `; page ${cursors.length + 1}`}.`,
  );
  page = found.slice(0, shown);
  by('older').disabled = found.length <= shown || document.body.classList.contains('no-ledger');
  by('newer').disabled = cursors.length === 0;
  draw();
}

const sorts = {
  cost: ({ cost }) => (cost.known ? cost.usd : -1),
  saved: ({ savings }) => (savings.known ? savings.usd : -Infinity),
  took: ({ timing }) => timing.totalMs ?? -1,
};

function draw() {
  const sort = sorts[by('sort').value];
  const found = sort === undefined ? page : [...page].sort((a, b) => sort(b) - sort(a));
  const state = `${conditions().join()} ${JSON.stringify(cursors)} ${found.map(({ id }) => id).join()}`;
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
        isLive() ? 'Nothing yet: send a request through Envoy, or try a prompt below.' : 'No decision is like that.',
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
    element('td', { class: 'workspace' }, element('span', { class: 'clamp', title: record.workspace }, record.workspace)),
    element('td', { class: 'way' }, ...way(record)),
    element('td', {}, tier === null ? '–' : pill(tier, known.includes(tier) ? tier : '')),
    element('td', { class: 'why' }, reasonText(decision?.reason ?? record.passReason ?? ownKinds[record.kind] ?? '–')),
    element('td', { class: 'ended' }, ended(record)),
    element(
      'td',
      { class: 'number cost', 'data-name': 'cost' },
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
  pill(
    status === null || fine.includes(outcome) ? outcomeText(outcome) : `${outcomeText(outcome)}, ${status}`,
    fine.includes(outcome) ? 'simple' : 'bad',
  );

function saved({ savings, baseline }) {
  if (!savings.known) return element('span', { class: 'note' }, 'unknown');
  if (savings.usd === 0) return element('span', { class: 'note' }, '–');
  if (savings.usd < 0) return costText(savings);
  return element('span', { class: 'good' }, baseline.known && baseline.usd > 0 ? percent(savings.usd / baseline.usd) : costText(savings));
}

function again() {
  newest = '';
  seen = new Set();
  if (paused) by('pause').click();
  void decisions();
}

async function exportAs(kind) {
  const name = `decisions-${new Date().toISOString().slice(0, 10)}.${kind}`;
  const query = queryFor(exported);
  if (kind === 'csv') download(name, 'text/csv', await askText(`/decisions?${query}&format=csv`));
  else download(name, 'application/json', JSON.stringify((await ask(`/decisions?${query}`)).decisions, null, 1));
}

export function startDecisions() {
  by('filter').addEventListener('submit', (event) => {
    event.preventDefault();
    change({
      where: by('where')
        .value.split(/\s+/)
        .filter((condition) => condition !== ''),
      id: by('find-id').value.trim(),
    });
  });
  onChange(() => {
    cursors = [];
    again();
  });
  by('sort').addEventListener('change', draw);
  by('older').addEventListener('click', () => {
    const last = page.at(-1);
    if (last === undefined) return;
    const earlier = cursors.at(-1);
    cursors = [
      ...cursors,
      {
        time: last.time,
        shown: [
          ...(earlier?.time === last.time ? earlier.shown : []),
          ...page.filter(({ time }) => time === last.time).map(({ id }) => id),
        ],
      },
    ];
    again();
  });
  by('newer').addEventListener('click', () => {
    cursors = cursors.slice(0, -1);
    again();
  });
  for (const kind of ['csv', 'json'])
    by(`export-${kind}`).addEventListener('click', () => void exportAs(kind).catch((error) => say('live-note', error.message)));
  by('pause').addEventListener('click', () => {
    paused = !paused;
    by('pause').setAttribute('aria-pressed', String(paused));
    say('pause', paused ? 'Go on' : 'Pause');
  });
}
