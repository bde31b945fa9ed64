import { by, count, day, dollars, element, known, number, percent, table } from '/page/format.js';
import { colour } from '/page/theme.js';

const { Chart } = globalThis;
const still = matchMedia('(prefers-reduced-motion: reduce)');
const drawn = new Map();
let again = () => undefined;

function draw(id, config) {
  drawn.get(id)?.destroy();
  const chart = new Chart(by(id), config);
  drawn.set(id, chart);
}

/** What was spent, and on top of it what was saved: together what the requested models would have cost. */
export function drawTrend({ from, to, trend }, hours) {
  const points = filled(Date.parse(from), Date.parse(to), trend, hours ? 3_600_000 : 86_400_000);
  const bars = (label, name, read) => ({
    label,
    data: points.map(read),
    backgroundColor: colour(name),
    stack: 'all',
    borderRadius: 3,
    maxBarThickness: 46,
  });
  draw('trend', {
    type: 'bar',
    data: {
      labels: points.map(({ at }) => (hours ? at.slice(11, 16) : at.slice(5, 10))),
      datasets: [bars('Cost', '--cost-bar', ({ cost }) => cost), bars('Saved', '--accent', ({ savings }) => savings)],
    },
    options: trendOptions(points),
  });
  const total = (read) => points.reduce((sum, point) => sum + read(point), 0);
  by('trend').setAttribute(
    'aria-label',
    `By ${hours ? 'hour' : 'day'}, ${day(from)} to ${day(to)}: cost ${dollars(total(({ cost }) => cost))}, saved ${dollars(total(({ savings }) => savings))}. The table below has each ${hours ? 'hour' : 'day'}.`,
  );
  showTrend(trend, hours);
  again = () => drawTrend({ from, to, trend }, hours);
}

function trendOptions(points) {
  const soft = colour('--soft');
  const size = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = { size: size * 0.8 };
  return {
    responsive: true,
    maintainAspectRatio: false,
    animation: still.matches ? false : { duration: 400 },
    interaction: { mode: 'index', intersect: false },
    scales: {
      x: {
        stacked: true,
        grid: { display: false },
        border: { color: colour('--rule') },
        ticks: { color: soft, font, maxRotation: 0, autoSkipPadding: 18 },
      },
      y: {
        stacked: true,
        grid: { color: colour('--rule') },
        border: { display: false },
        ticks: { color: soft, font, maxTicksLimit: 6, callback: (value) => (value === 0 ? '$0' : `$${Number(value.toPrecision(3))}`) },
      },
    },
    plugins: {
      legend: {
        align: 'end',
        labels: { color: soft, font, boxWidth: size * 0.8, boxHeight: size * 0.8, useBorderRadius: true, borderRadius: 3 },
      },
      tooltip: {
        callbacks: {
          label: ({ dataset, raw }) => ` ${dataset.label} ${dollars(raw)}`,
          footer: ([first]) => (points[first.dataIndex].unknown === 0 ? '' : `${count(points[first.dataIndex].unknown)} more unknown`),
        },
      },
    },
  };
}

/** The same figures in words, for those who cannot see the bars. */
function showTrend(trend, hours) {
  by('trend-table').replaceChildren(
    table(
      [hours ? 'Hour (UTC)' : 'Day (UTC)', number('Cost'), number('Saved'), number('Exchanges'), number('Unknown')],
      trend.map((line) => [
        hours ? line.at.slice(0, 16).replace('T', ' ') : day(line.at),
        number(dollars(line.cost)),
        number(dollars(line.savings)),
        number(count(line.exchanges)),
        number(count(line.savingsUnknown)),
      ]),
    ),
  );
}

/** Every bucket of the window: one without traffic is an empty place, not a missing one. */
function filled(from, to, trend, step) {
  const at = new Map(trend.map((line) => [Date.parse(line.at), line]));
  const points = [];
  for (let bucket = from - (from % step); bucket < to; bucket += step) {
    const line = at.get(bucket);
    points.push({
      at: new Date(bucket).toISOString(),
      cost: line?.cost ?? 0,
      savings: line?.savings ?? 0,
      unknown: line?.savingsUnknown ?? 0,
    });
  }
  return points;
}

let tiers = [];

/** Exchanges by tier: a ring, and its key in words. @param {{ name: string, exchanges: number }[]} lines */
export function drawTiers(lines) {
  tiers = lines;
  showRing(lines.length > 0);
  if (lines.length === 0) {
    bars('by-tier', []);
    return;
  }
  const all = lines.reduce((sum, { exchanges }) => sum + exchanges, 0);
  const kind = (name) => (known.includes(name) ? name : 'other');
  const told = (name) => (name === 'none' ? 'not decided' : name);
  draw('tiers', {
    type: 'doughnut',
    data: {
      labels: lines.map(({ name }) => told(name)),
      datasets: [
        {
          data: lines.map(({ exchanges }) => exchanges),
          backgroundColor: lines.map(({ name }) => colour(`--${kind(name)}`)),
          borderWidth: 2,
          borderColor: colour('--card'),
        },
      ],
    },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      cutout: '68%',
      animation: still.matches ? false : { duration: 400 },
      plugins: { legend: { display: false }, tooltip: { callbacks: { label: ({ label, raw }) => ` ${label}: ${count(raw)}` } } },
    },
  });
  by('tiers').setAttribute('aria-label', lines.map(({ name, exchanges }) => `${told(name)} ${percent(exchanges / all)}`).join(', '));
  by('by-tier').replaceChildren(
    element(
      'ul',
      { class: 'key' },
      ...lines.map(({ name, exchanges }) =>
        element(
          'li',
          {},
          element('span', { class: `dot ${kind(name)}` }),
          element('span', {}, told(name)),
          element('span', {}, `${percent(exchanges / all)}`),
        ),
      ),
    ),
  );
}

/** A ring of nothing is an empty place. */
export function showRing(there) {
  by('tiers').closest('.ring').classList.toggle('none', !there);
}

/** Draws again in the present colours. */
export function redraw() {
  again();
  if (tiers.length > 0) drawTiers(tiers);
}

/** A list of bars with their values as text; `more` stands behind the value. @param {{ name: string, share: number, value: string, more?: string }[]} rows */
export function bars(id, rows, nothing = 'Nothing in this period.') {
  if (rows.length === 0) {
    by(id).replaceChildren(element('p', { class: 'note' }, nothing));
    return;
  }
  const line = ({ name, share, value, more, href }) =>
    element(
      'li',
      { '--share': `${Math.max(0.5, Math.min(100, share * 100))}%` },
      element('span', {}, href === undefined ? name : element('a', { href }, name)),
      element('span', { class: 'value' }, value, ...(more === undefined ? [] : [' ', element('small', {}, more)])),
    );
  by(id).replaceChildren(element('ul', { class: 'bars' }, ...rows.map(line)));
}
