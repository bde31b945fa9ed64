import { bars, drawTiers, drawTrend } from '/page/charts.js';
import { by, count, dollars, element, exchangesText, known, percent, say } from '/page/format.js';
import { ask } from '/page/server.js';

const shownLines = 7;
const groups = ['by-model', 'by-workspace', 'by-tier', 'by-move', 'by-reason', 'by-outcome', 'by-cache'];
const keys = ['model', 'workspace', 'tier', 'reason', 'outcome', 'cache', 'requested_model,model'];

export const chosenWindow = () => document.querySelector('input[name=window]:checked').value;

/** The window's sums, from the ledger; without one, this process's totals. */
export async function sums() {
  const window = chosenWindow();
  let reports;
  let live;
  try {
    [live, ...reports] = await Promise.all([ask('/savings'), ...keys.map((key) => ask(`/savings?window=${window}&by=${key}&limit=500`))]);
  } catch (error) {
    if (error.code !== 'no-ledger') throw error;
    await withoutLedger();
    return;
  }
  if (window !== chosenWindow()) return;
  const [model, workspace, tier, reason, outcome, cache, move] = reports;
  by('notice').hidden = true;
  cards(model, window);
  shadowNote(live);
  drawTrend(model, window === '1h' || window === '24h');
  money('by-model', model);
  money('by-workspace', workspace);
  drawTiers([...tier.lines].sort((a, b) => rank(a) - rank(b)).map(({ group, exchanges }) => ({ name: group[0], exchanges })));
  numbers('by-reason', reason, (name) => reasonNames[name] ?? name);
  numbers('by-outcome', outcome, (name) => name);
  cacheCard(cache);
  moves(move);
  by('models').replaceChildren(
    ...new Set(move.lines.map(({ group }) => group[0]))
      .values()
      .filter((name) => name !== 'none')
      .map((value) => element('option', { value })),
  );
}

/** What the cache calls its own answers. */
const hits = ['hit', 'semantic', 'stale', 'coalesced'];

const rank = ({ group }) => (known.indexOf(group[0]) + known.length + 1) % (known.length + 1);

const reasonNames = {
  tier: 'cheapest able model of the tier',
  learned: 'learned router',
  override: 'override',
  rule: 'rule',
  sensitivity: 'sensitive: secure model only',
  pinned: 'pinned by the policy',
  'kept-tier-not-routed': 'kept: tier is not routed',
  'kept-cheapest': 'kept: nothing cheaper',
  'kept-no-candidate': 'kept: no candidate is able',
  'kept-unknown-model': 'kept: model is unknown',
  'kept-operation': 'kept: no generation',
  'kept-by-rule': 'kept by a rule',
  default: "the policy's default",
  'cooling-down': 'first choice rests',
  shadow: 'shadow mode',
  blocked: 'refused by policy',
  none: 'from the cache, or not decided',
};

/** What sections in shadow mode would have saved, on the card of what was. */
function shadowNote({ shadow, since }) {
  if (shadow === undefined || shadow.known === 0) return;
  say(
    'saved-note',
    `${by('saved-note').textContent} Shadow mode would have saved ${dollars(shadow.usd)} more since ${since.slice(0, 16).replace('T', ' ')}.`,
  );
}

function cards({ total, unknownShare }, window) {
  say('saved', dollars(total.savings));
  say(
    'saved-share',
    total.baseline > 0
      ? `${percent(total.savings / total.baseline)} of ${dollars(total.baseline)} that the requested models would have cost`
      : 'Nothing to compare with in this window',
  );
  say(
    'saved-note',
    total.exchanges === 0
      ? `Last ${window}`
      : `Last ${window}. ${percent(unknownShare)} of the exchanges are in no sum: their price or usage is unknown.`,
  );
  say('cost', dollars(total.cost));
  say(
    'cost-note',
    `of ${exchangesText(total.exchanges - total.savingsUnknown)} with a baseline${total.apart === 0 ? '' : `; ${dollars(total.apart)} more without one`}`,
  );
  say('unknown', percent(unknownShare));
  say('exchanges', count(total.exchanges));
  say('exchanges-note', `${count(total.retried)} took more than one attempt`);
}

function money(id, { lines, total }) {
  const most = Math.max(0, ...lines.map(({ cost, apart }) => cost + apart));
  const rest = lines.slice(shownLines);
  const row = (name, { cost: compared, apart, savings, costUnknown, exchanges }, cost = compared + apart) => ({
    name,
    share: most === 0 ? 0 : cost / most,
    value: costUnknown === exchanges ? 'unknown' : dollars(cost),
    ...(savings > 0 ? { more: `saved ${dollars(savings)}` } : {}),
  });
  const sum = (key) => rest.reduce((all, line) => all + line[key], 0);
  bars(id, [
    ...lines.slice(0, shownLines).map((line) => row(line.group[0], line)),
    ...(rest.length === 0
      ? []
      : [
          row(`${count(rest.length)} more`, {
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
  say('cache-rate', asked === 0 ? 'off' : percent(answered / asked));
  say(
    'cache-note',
    asked === 0
      ? 'No exchange of this window asked the cache.'
      : `of ${count(asked)} questions answered by the cache, ${dollars(saved)} saved by it`,
  );
  if (asked === 0) by('by-cache').replaceChildren();
  else numbers('by-cache', report, (name) => name);
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
        more: savings > 0 ? `saved ${dollars(savings)}` : '',
      })),
    'Nothing was moved in this window.',
  );
}

async function withoutLedger() {
  const totals = await ask('/savings');
  by('notice').hidden = false;
  say(
    'notice',
    'This server keeps no ledger: the sums are those of this process since it started, without trend and groups. Start it with --ledger FILE.',
  );
  say('saved', dollars(totals.savings.usd));
  say(
    'saved-share',
    totals.baseline.usd > 0
      ? `${percent(totals.savings.usd / totals.baseline.usd)} of ${dollars(totals.baseline.usd)} that the requested models would have cost`
      : '',
  );
  say(
    'saved-note',
    `Since ${totals.since.slice(0, 19).replace('T', ' ')} UTC. ${percent(totals.unknownShare.savings)} of the exchanges are in no sum: their price or usage is unknown.`,
  );
  shadowNote(totals);
  say('cost', dollars(totals.cost.usd));
  say(
    'cost-note',
    `of ${exchangesText(totals.savings.known)} whose savings are known${totals.apart.usd > 0 ? `, and ${dollars(totals.apart.usd)} on others` : ''}`,
  );
  say('unknown', percent(totals.unknownShare.savings));
  say('exchanges', count(totals.exchanges));
  for (const id of groups) bars(id, [], 'This needs a ledger.');
}
