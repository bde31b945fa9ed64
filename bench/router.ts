import { classifyRequest } from '../src/classify/index.ts';
import { defaultModelFile, readModel } from '../src/router/model/file.ts';
import { textFeatures } from '../src/router/model/features.ts';
import { exchangeOf } from '../test/support/exchange.ts';

/** Times of one scoring by the default model, in µs on one thread. Usage: npm run bench -- router */
const model = await readModel(defaultModelFile);
const sample = Array.from(
  { length: 400 },
  (_, i) =>
    `Question ${i}: a ${i % 7 === 0 ? 'train' : 'merchant'} leaves at ${i % 24}:00 and travels ${17 * i} km; which statement about its ${i % 3 === 0 ? 'average speed' : 'ledger'} is not true, and why?\nA. it rose\nB. it fell by ${i}%\nC. neither\n`,
).join('\n');

function time(run: (at: number) => void): { readonly p50: number; readonly p99: number } {
  const times: number[] = [];
  const batch = 5;
  for (let round = 0; round < 4_000; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < batch; i++) run((round * batch + i) % 64);
    if (round >= 1_000) times.push(Number(process.hrtime.bigint() - start) / 1e3 / batch);
  }
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(times.length * 0.5)]!, p99: times[Math.floor(times.length * 0.99)]! };
}

const lines = [`Node ${process.versions.node}, one thread`, '', '| text | what | p50 | p99 |', '|---|---|---|---|'];
for (const [name, units] of [
  ['200 B', 200],
  ['2 KB', 2_048],
  ['32 KB', 32_768],
] as const) {
  const texts = Array.from({ length: 64 }, (_, at) => sample.slice((at * 211) % Math.max(1, sample.length - units)).slice(0, units));
  const features = texts.map((text) => textFeatures(text));
  const exchanges = texts.map((text) => exchangeOf({ lastUser: text }));
  const rows = [
    ['score, with its own features', (at: number) => void model.predict(texts[at]!)],
    ["score, with the classifier's features", (at: number) => void model.predict(texts[at]!, features[at])],
    ['the deterministic classifier, for comparison', (at: number) => void classifyRequest(exchanges[at]!)],
  ] as const;
  for (const [what, run] of rows) {
    const { p50, p99 } = time(run);
    lines.push(`| ${name} | ${what} | ${p50.toFixed(1)} µs | ${p99.toFixed(1)} µs |`);
  }
}
process.stdout.write(`${lines.join('\n')}\n`);
