import { costNames } from '/page/reasons.js';

/** @param {number} usd */
export function dollars(usd) {
  const size = Math.abs(usd);
  if (size > 0 && size < 0.0000005) return usd < 0 ? '> −$0.000001' : '< $0.000001';
  const digits = size === 0 || size >= 0.995 ? 2 : size >= 0.01 ? 4 : 6;
  return `${usd < 0 ? '−' : ''}$${size.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** A cost of a record: known, or why not. */
export const costText = (cost) => (cost.known ? dollars(cost.usd) : `unknown: ${costNames[cost.reason] ?? cost.reason}`);

/** @param {number | null} share 0 to 1 */
export const percent = (share) => (share === null || !Number.isFinite(share) ? '–' : `${(share * 100).toFixed(1)}%`);

/** @param {number | null} ms */
export function duration(ms) {
  if (ms === null) return '–';
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export const count = (value) => value.toLocaleString('en-US');
export const exchangesText = (value) => `${count(value)} exchange${value === 1 ? '' : 's'}`;

/** A day and a minute, in UTC. */
export const minute = (iso) => iso.slice(0, 16).replace('T', ' ');
/** A text that is not broken within. */
export const whole = (text) => element('span', { class: 'whole' }, text);
/** An ISO time as people read it, in UTC. */
export const clock = (iso) => iso.slice(11, 19);
export const day = (iso) => iso.slice(0, 10);

/** An element with attributes and children; nothing is ever parsed as HTML: names come from callers. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'class') made.className = value;
    else if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (key.startsWith('--')) made.style.setProperty(key, value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A table; a cell is a text, a node, or `{ is, class }`. */
export function table(heads, rows, options = {}) {
  const cell = (kind) => (value) => {
    const { is, ...attributes } = typeof value === 'object' && !(value instanceof Node) ? value : { is: value };
    return element(kind, kind === 'th' ? { scope: 'col', ...attributes } : attributes, is);
  };
  // In a narrow window a cell says itself what it is: see page.css.
  const label = (at) => {
    const head = heads[at];
    const text = typeof head === 'object' && !(head instanceof Node) ? head.is : head;
    return typeof text === 'string' && text !== '' ? { 'data-head': text } : {};
  };
  const body = (value, at) => {
    const made = cell('td')(value);
    for (const [name, text] of Object.entries(label(at))) made.setAttribute(name, text);
    return made;
  };
  return element(
    'table',
    { class: 'narrow', ...options },
    element('thead', {}, element('tr', {}, ...heads.map(cell('th')))),
    element('tbody', {}, ...rows.map((row) => (row instanceof Node ? row : element('tr', {}, ...row.map(body))))),
  );
}

export const number = (is) => ({ is, class: 'number' });

export const by = (id) => document.getElementById(id);

/** Sets an element's text only where it changes, so that a selection and a screen reader are left alone. */
export function say(id, text) {
  const at = by(id);
  if (at.textContent !== text) at.textContent = text;
}

export const known = ['simple', 'standard', 'complex'];

/** A tier, or how something ended, in its colour. */
export const pill = (text, kind = '') => element('span', { class: `pill ${kind}` }, text);
