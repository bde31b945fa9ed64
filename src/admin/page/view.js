import { by, element } from '/page/format.js';
import { reasonNames } from '/page/reasons.js';

/** What the page shows is in its URL: a link shows somebody else the same. */
const fields = ['workspace', 'model', 'tier', 'user', 'reason', 'status'];
const windows = ['1h', '24h', '7d', '30d'];
const windowNames = { '1h': 'hour', '24h': '24 hours', '7d': '7 days', '30d': '30 days' };
const dayMs = 86_400_000;
const names = { workspace: 'workspace', model: 'served by', tier: 'tier', user: 'user', reason: 'why', status: 'status' };

const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text ?? '') && !Number.isNaN(Date.parse(text));

let view = read();
const listeners = [];

function read() {
  const query = new URLSearchParams(location.search);
  const [from, to] = [query.get('from'), query.get('to')];
  const range = isDay(from) && isDay(to) && from <= to ? { from, to } : null;
  return {
    window: range === null ? (windows.includes(query.get('window')) ? query.get('window') : '30d') : null,
    range,
    filters: Object.fromEntries(fields.map((field) => [field, query.get(field) ?? '']).filter(([, value]) => value !== '')),
    where: query.getAll('where'),
    id: query.get('id') ?? '',
    decision: query.get('decision'),
  };
}

function write() {
  const query = new URLSearchParams();
  if (view.range !== null) {
    query.set('from', view.range.from);
    query.set('to', view.range.to);
  } else if (view.window !== '30d') query.set('window', view.window);
  for (const [field, value] of Object.entries(view.filters)) query.set(field, value);
  for (const condition of view.where) query.append('where', condition);
  if (view.id !== '') query.set('id', view.id);
  if (view.decision !== null) query.set('decision', view.decision);
  const text = query.toString();
  return `${location.pathname}${text === '' ? '' : `?${text}`}${location.hash}`;
}

/** The present view; nobody changes it but `change`. */
export const current = () => view;

/** A link to the view with some of it changed. */
export function linkTo(part) {
  const before = view;
  view = { ...view, ...part };
  const link = write();
  view = before;
  return link;
}

/** Changes the view and its URL, and tells the parts of the page. `silent`: nothing that is asked for changes. */
export function change(part, { silent = false } = {}) {
  view = { ...view, ...part };
  history.replaceState(null, '', write());
  show();
  if (!silent) for (const listener of listeners) listener();
}

export const onChange = (listener) => listeners.push(listener);

/** Conditions as the server takes them: of the filters, and those that were typed. */
export const conditions = () => [...Object.entries(view.filters).map(([field, value]) => `${field}=${value}`), ...view.where];

/** The period as the server takes it. The last day of a range is in it. */
export function period() {
  if (view.range === null) return { window: view.window };
  return { from: view.range.from, to: new Date(Date.parse(view.range.to) + dayMs).toISOString().slice(0, 10) };
}

/** The period in words. */
export const periodText = () => (view.range === null ? `last ${windowNames[view.window]}` : `${view.range.from} to ${view.range.to}`);

/** Of the same length, just before. `report` says from when to when the period is. */
export function before({ from, to }) {
  const length = Date.parse(to) - Date.parse(from);
  return { from: new Date(Date.parse(from) - length).toISOString(), to: from };
}

function show() {
  for (const radio of document.querySelectorAll('input[name=window]')) radio.checked = radio.value === view.window;
  by('from').value = view.range?.from ?? '';
  by('to').value = view.range?.to ?? '';
  for (const field of fields) document.querySelector(`#filters [name=${field}]`).value = view.filters[field] ?? '';
  by('where').value = view.where.join(' ');
  by('find-id').value = view.id;
  const { workspace } = view.filters;
  const others = Object.entries(view.filters).filter(([field]) => field !== 'workspace');
  by('scope').hidden = workspace === undefined && others.length === 0 && view.where.length === 0;
  by('scope-title').textContent = workspace === undefined ? 'All workspaces' : `Workspace ${workspace}`;
  by('scope-note').textContent = [
    ...others.map(([field, value]) => `${names[field]} ${field === 'reason' ? (reasonNames[value] ?? value) : value}`),
    ...view.where,
  ].join(', ');
}

function filtersOf(form) {
  return Object.fromEntries(
    fields.map((field) => [field, String(new FormData(form).get(field) ?? '').trim()]).filter(([, value]) => value !== ''),
  );
}

function rangeChanged() {
  const [from, to] = [by('from').value, by('to').value];
  const wrong = isDay(from) && isDay(to) && from > to;
  by('to').setCustomValidity(wrong ? 'The range ends before it begins.' : '');
  if (wrong) by('to').reportValidity();
  else if (isDay(from) && isDay(to)) change({ range: { from, to }, window: null });
}

export function startView() {
  const reason = document.querySelector('#filters [name=reason]');
  reason.append(...Object.entries(reasonNames).map(([value, text]) => element('option', { value }, text)));
  by('windows').addEventListener('change', (event) => change({ window: event.target.value, range: null }));
  for (const id of ['from', 'to']) by(id).addEventListener('change', rangeChanged);
  by('filters').addEventListener('submit', (event) => event.preventDefault());
  by('filters').addEventListener('change', () => change({ filters: filtersOf(by('filters')) }));
  by('all').addEventListener('click', () => change({ filters: {}, where: [], id: '' }));
  addEventListener('popstate', () => {
    view = read();
    show();
    for (const listener of listeners) listener();
  });
  show();
}
