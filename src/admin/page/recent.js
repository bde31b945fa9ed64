import { bars } from '/page/charts.js';
import { by, count, dollars, duration, element, exchangesText, minute, number, percent, say, table } from '/page/format.js';
import { triggerText } from '/page/reasons.js';
import { ask } from '/page/server.js';
import { conditions } from '/page/view.js';

/** The last exchanges of the process are not filtered; where the sums beside them are, that is said. */
const filtered = () => (conditions().length === 0 ? '' : ', filters aside');

/** What the last exchanges of this process tell: latency, fallbacks, experiments. */
export async function recent() {
  const { of, since, latency, fallbacks, arms } = await ask('/recent');
  const from = since === null ? '' : `Of the last ${of === 1 ? 'exchange' : exchangesText(of)}, since ${minute(since)} UTC${filtered()}.`;
  say('own-time', duration(latency.overhead.p50));
  say(
    'own-note',
    latency.overhead.p99 === null ? '' : `median of the last ${exchangesText(of)}; ${duration(latency.overhead.p99)} at p99${filtered()}`,
  );
  say('latency-note', from === '' ? 'No exchange yet.' : `${from} The bar goes from p50 to p99 on a logarithmic scale, the mark is p95.`);
  times(latency);
  const most = fallbacks[0]?.count ?? 0;
  say('fallbacks-note', from);
  bars(
    'fallbacks',
    fallbacks
      .slice(0, 6)
      .map(({ from: first, to, reason, count: times }) => ({
        name: `${first} → ${to}`,
        share: times / most,
        value: count(times),
        more: triggerText(reason),
      })),
    'No chain had to go on.',
  );
  showArms(arms);
}

function times({ total, firstByte, firstToken, overhead }) {
  const rows = [
    ['Answer, whole', total, ''],
    ['First byte', firstByte, ''],
    ['First token, of streams', firstToken, ''],
    ['Sluice’s own time', overhead, 'own'],
  ];
  const values = rows.flatMap(([, { p50, p99 }]) => [p50, p99]).filter((value) => value !== null && value > 0);
  const least = Math.log(Math.min(...values) * 0.8);
  const width = Math.log(Math.max(...values) * 1.05) - least;
  const place = (ms) => `${(((Math.log(ms) - least) / width) * 100).toFixed(1)}%`;
  const strip = ({ p50, p95, p99 }, kind) =>
    p50 === null
      ? ''
      : element(
          'div',
          { class: `strip ${kind}`, '--from': place(p50), '--to': place(p99), '--at': place(p95) },
          element('i'),
          element('b'),
        );
  by('latency').replaceChildren(
    table(
      [
        'What',
        { is: element('span', { class: 'hidden' }, 'Spread'), class: 'spread' },
        number('p50'),
        number('p95'),
        number('p99'),
        number('Exchanges'),
      ],
      rows.map(([name, found, kind]) => [
        name,
        strip(found, kind),
        number(duration(found.p50)),
        number(duration(found.p95)),
        number(duration(found.p99)),
        number(count(found.count)),
      ]),
    ),
  );
}

function showArms(arms) {
  if (arms.length === 0) {
    by('arms').replaceChildren(element('p', { class: 'note' }, 'None of the last exchanges was part of an experiment.'));
    return;
  }
  by('arms').replaceChildren(
    table(
      ['Arm', number('Exchanges'), number('Complete'), number('Cost each'), number('p50')],
      arms.map(({ arm, exchanges, complete, cost, costUnknown, latency }) => [
        arm,
        number(count(exchanges)),
        number(percent(complete / exchanges)),
        number(exchanges === costUnknown ? 'unknown' : dollars(cost / (exchanges - costUnknown))),
        number(duration(latency.p50)),
      ]),
    ),
  );
}
