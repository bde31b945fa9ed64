import { bars, drawTiers, drawTrend, showRing } from '/page/charts.js';
import { by, count, dollars, element, exchangesText, known, minute, percent, say } from '/page/format.js';
import { cacheText, outcomeText, reasonText } from '/page/reasons.js';
import { ask } from '/page/server.js';
import { before, conditions, current, linkTo, period, periodText } from '/page/view.js';

const shownLines = 7;
const groups = ['by-model', 'by-workspace', 'by-tier', 'by-move', 'by-reason', 'by-outcome', 'by-cache'];
const keys = ['model', 'workspace', 'tier', 'reason', 'outcome', 'cache', 'requested_model,model', 'user', 'key'];

const report = (span, by, where) =>
  ask(
    `/savings?${new URLSearchParams([...Object.entries({ ...span, ...(by === '' ? {} : { by }), limit: '500' }), ...where.map((condition) => ['where', condition])])}`,
  );

/** The period's sums, from the ledger; without one, this process's totals. */
export async function sums() {
  const asked = current();
  const where = conditions();
  let reports;
  let live;
  try {
    [live, ...reports] = await Promise.all([ask('/savings'), ...keys.map((key) => report(period(), key, where))]);
  } catch (error) {
    if (error.status === 400) {
      // What was asked for is wrong, not the server: what is below is of before.
      by('notice').hidden = false;
      say('notice', `The sums below are of before: ${error.message}`);
      return;
    }
    if (error.code !== 'no-ledger') throw error;
    await withoutLedger();
    return;
  }
  const earlier = await report(before(reports[0]), '', where);
  if (asked !== current()) return;
  const [model, workspace, tier, reason, outcome, cache, move, user, key] = reports;
  by('notice').hidden = true;
  withoutLedgerView(false);
  trendShown(model.total.exchanges > 0);
  cards(model, asked.range === null ? `${periodText()}, ${minute(model.from)} to ${minute(model.to)} UTC` : `${periodText()} (UTC)`);
  compared(model.total, earlier.total);
  shadowCard(live);
  drawTrend(model, Date.parse(model.to) - Date.parse(model.from) <= 3 * 86_400_000);
  money('by-model', model, (name) => linkTo({ filters: { ...asked.filters, model: name } }));
  money('by-workspace', workspace, (name) => linkTo({ filters: { workspace: name } }));
  optional('by-user', user, (name) => linkTo({ filters: { ...asked.filters, user: name } }));
  optional('by-key', key);
  drawTiers([...tier.lines].sort((a, b) => rank(a) - rank(b)).map(({ group, exchanges }) => ({ name: group[0], exchanges })));
  numbers('by-reason', reason, reasonText);
  numbers('by-outcome', outcome, outcomeText);
  cacheCard(cache);
  moves(move);
  options('models', move.lines, 0);
  options('served', model.lines, 0);
  options('workspaces', workspace.lines, 0);
}

function options(id, lines, at) {
  by(id).replaceChildren(
    ...[...new Set(lines.map(({ group }) => group[at]))].filter((name) => name !== 'none').map((value) => element('option', { value })),
  );
}

/** Users and keys are there only where somebody names them. */
function optional(id, found, link) {
  const lines = found.lines.filter(({ group }) => group[0] !== 'none');
  by(`${id}-card`).hidden = lines.length === 0;
  if (lines.length > 0) money(id, found, link, id === 'by-user' ? 'no user named' : 'no key of the gateway');
}

/** Against the period of the same length before this one. */
function compared(now, then) {
  const text = (value, past, write) => (then.exchanges === 0 ? '' : `${change(value, past)} than before (${write(past)})`);
  say(
    'saved-before',
    then.exchanges === 0 ? 'No exchanges in the period before to compare with' : text(now.savings, then.savings, dollars),
  );
  say('cost-before', text(now.cost, then.cost, dollars));
  say('exchanges-before', text(now.exchanges, then.exchanges, count));
  say('unknown-before', then.exchanges === 0 ? '' : `${percent(then.costUnknown / then.exchanges)} before`);
}

function change(value, past) {
  if (past <= 0) return value > past ? 'more' : value < past ? 'less' : 'no more';
  const share = value / past - 1;
  return Math.abs(share) < 0.0005 ? 'no more' : `${percent(Math.abs(share))} ${share > 0 ? 'more' : 'less'}`;
}

/** What the cache calls its own answers. */
const hits = ['hit', 'semantic', 'stale', 'coalesced'];

const rank = ({ group }) => (known.indexOf(group[0]) + known.length + 1) % (known.length + 1);

/** What sections in shadow mode would have saved: in none of the other sums. */
function shadowCard({ shadow, since }) {
  const there = shadow !== undefined && shadow.known + shadow.unknown > 0;
  by('shadow-card').hidden = !there;
  if (!there) return;
  say('shadow', shadow.usd < 0 ? `${dollars(-shadow.usd)} less` : `${dollars(shadow.usd)} more`);
  say(
    'shadow-note',
    `would have been saved since ${since.slice(0, 16).replace('T', ' ')} UTC by ${exchangesText(shadow.known)} that shadow mode left where their apps sent them${shadow.unknown > 0 ? `; of ${count(shadow.unknown)} more it is unknown` : ''}. It is in none of the sums.`,
  );
}

function cards({ total, unknownShare }, when) {
  say('saved', dollars(total.savings));
  say(
    'saved-share',
    total.baseline > 0
      ? `${percent(total.savings / total.baseline)} of ${dollars(total.baseline)} that the requested models would have cost`
      : 'Nothing to compare with in this period',
  );
  say(
    'saved-note',
    total.exchanges === 0
      ? `${when[0].toUpperCase()}${when.slice(1)}`
      : `${when[0].toUpperCase()}${when.slice(1)}. ${noBaseline(unknownShare)}`,
  );
  say('cost', dollars(total.cost));
  say(
    'cost-note',
    total.exchanges === 0
      ? ''
      : `of ${exchangesText(total.exchanges - total.savingsUnknown)} with a baseline${total.apart === 0 ? '' : `; ${dollars(total.apart)} more without one`}`,
  );
  say('unknown', percent(total.exchanges === 0 ? null : total.costUnknown / total.exchanges));
  say('exchanges', count(total.exchanges));
  say('exchanges-note', total.exchanges === 0 ? '' : `${count(total.retried)} took more than one attempt`);
}

/** What is not in baseline and savings, of `share` of the exchanges. */
const noBaseline = (share) =>
  `${percent(share)} of the exchanges have no baseline, because their price or usage is unknown or they were refused: they are not in this sum.`;

/** Savings of a row, negative ones too. */
const savedText = (savings) =>
  savings === 0 ? {} : { more: savings > 0 ? `saved ${dollars(savings)}` : `cost ${dollars(-savings)} more` };

function money(id, { lines, rest: beyond, total }, link = () => undefined, nobody = 'no model called') {
  const most = Math.max(0, ...lines.map(({ cost, apart }) => cost + apart));
  // The server lists groups up to a limit, and sums up those beyond it.
  const rest = [...lines.slice(shownLines), ...(beyond === null ? [] : [beyond])];
  const row = (name, { cost: compared, apart, savings, costUnknown, exchanges }, cost = compared + apart) => ({
    name,
    share: most === 0 ? 0 : cost / most,
    value: costUnknown === exchanges ? 'unknown' : dollars(cost),
    ...savedText(savings),
  });
  const sum = (key) => rest.reduce((all, line) => all + line[key], 0);
  bars(id, [
    ...lines
      .slice(0, shownLines)
      .map((line) => ({
        ...row(line.group[0] === 'none' ? nobody : line.group[0], line),
        ...(line.group[0] === 'none' || link(line.group[0]) === undefined ? {} : { href: link(line.group[0]) }),
      })),
    ...(rest.length === 0
      ? []
      : [
          row(beyond === null ? `${count(rest.length)} more` : 'all others', {
            cost: sum('cost'),
            apart: sum('apart'),
            savings: sum('savings'),
            costUnknown: sum('costUnknown'),
            exchanges: sum('exchanges'),
          }),
        ]),
    ...(total.costUnknown === 0 ? [] : [{ name: 'cost unknown', share: 0, value: exchangesText(total.costUnknown) }]),
  ]);
}

function numbers(id, { lines, total }, name) {
  const sorted = [...lines].sort((a, b) => b.exchanges - a.exchanges).slice(0, shownLines);
  bars(
    id,
    sorted.map(({ group, exchanges }) => ({
      name: name(group[0]),
      share: exchanges / total.exchanges,
      value: count(exchanges),
      more: percent(exchanges / total.exchanges),
    })),
  );
}

function cacheCard(report) {
  const of = (names) => report.lines.filter(({ group }) => names.includes(group[0])).reduce((sum, { exchanges }) => sum + exchanges, 0);
  const answered = of(hits);
  const asked = answered + of(['miss']);
  const saved = report.lines.filter(({ group }) => hits.includes(group[0])).reduce((sum, { savings }) => sum + savings, 0);
  say('cache-rate', report.total.exchanges === 0 ? '' : asked === 0 ? 'off' : percent(answered / asked));
  say(
    'cache-note',
    report.total.exchanges === 0
      ? 'Nothing in this period.'
      : asked === 0
        ? 'No exchange of this period asked the cache.'
        : `of ${count(asked)} questions answered by the cache, ${dollars(saved)} saved by it`,
  );
  if (asked === 0) by('by-cache').replaceChildren();
  else numbers('by-cache', report, cacheText);
}

function moves({ lines }) {
  const moved = lines.filter(({ group }) => group[0] !== group[1] && !group.includes('none')).sort((a, b) => b.exchanges - a.exchanges);
  const most = moved[0]?.exchanges ?? 0;
  bars(
    'by-move',
    moved
      .slice(0, 5)
      .map(({ group, exchanges, savings }) => ({
        name: `${group[0]} → ${group[1]}`,
        share: exchanges / most,
        value: count(exchanges),
        more: '',
        ...savedText(savings),
      })),
    'Nothing was moved in this period.',
  );
}

async function withoutLedger() {
  const totals = await ask('/savings');
  by('notice').hidden = false;
  say(
    'notice',
    'This server keeps no ledger: the sums are those of this process since it started, without periods, filters, trend and groups. Start it with --ledger FILE.',
  );
  say('saved', dollars(totals.savings.usd));
  say(
    'saved-share',
    totals.baseline.usd > 0
      ? `${percent(totals.savings.usd / totals.baseline.usd)} of ${dollars(totals.baseline.usd)} that the requested models would have cost`
      : '',
  );
  say('saved-note', `Since ${totals.since.slice(0, 19).replace('T', ' ')} UTC. ${noBaseline(totals.unknownShare.savings)}`);
  shadowCard(totals);
  say('cost', dollars(totals.cost.usd));
  say(
    'cost-note',
    `of ${exchangesText(totals.savings.known)} whose savings are known${totals.apart.usd > 0 ? `, and ${dollars(totals.apart.usd)} on others` : ''}`,
  );
  say('unknown', percent(totals.unknownShare.cost));
  say('exchanges', count(totals.exchanges));
  for (const id of groups) bars(id, [], 'This needs a ledger.');
  trendShown(false);
  showRing(false);
  withoutLedgerView(true);
}

/** Periods, filters and older pages are the ledger's: without one there is nothing that they could change. */
function withoutLedgerView(without) {
  document.body.classList.toggle('no-ledger', without);
  for (const control of document.querySelectorAll('#windows input, .range input, #filters input, #filters select, #where'))
    control.disabled = without;
}

/** Without a ledger, or an exchange, there is no trend. */
function trendShown(there) {
  by('trend').closest('.trend').hidden = !there;
}
