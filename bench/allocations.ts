import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { numberedBody } from './bodies.ts';
import { Driver, ExchangePlan } from './direct/driver.ts';
import { ProbedSluice } from './direct/sluice.ts';
import { root } from './processes.ts';
import { tableText } from './report.ts';

/**
 * Which functions allocate what a request allocates, by V8's sampling profiler, with the default policy. Sampling itself changes a
 * little of it: the guard has the exact sum.
 * Usage: npm run bench -- allocations [--bytes N] [--top N] [--under FUNCTION] [--checkout FOLDER]
 */
const { values: flags } = parseArgs({
  options: {
    bytes: { type: 'string', default: '1024' },
    count: { type: 'string', default: '2000' },
    top: { type: 'string', default: '40' },
    under: { type: 'string' },
    checkout: { type: 'string', default: root },
  },
});
const count = Number(flags.count);
const warm = 3_000;

const sluice = await ProbedSluice.start({
  policy: readFileSync(join(flags.checkout, 'src/policy/default-policy.yaml'), 'utf8'),
  checkout: flags.checkout,
  node: ['--max-semi-space-size=64'],
});
try {
  const driver = await Driver.connect(sluice.socket);
  const plan = new ExchangePlan(numberedBody(Number(flags.bytes)));
  await driver.run(plan, warm, 1);
  const found = await sluice.allocations(() => driver.run(plan, count, 1));
  driver.close();
  const own = new Map<string, number>();
  const whole = new Map<string, number>();
  let all = 0;
  for (const { bytes, path } of found) {
    const from = flags.under === undefined ? 0 : path.findIndex((name) => name.startsWith(flags.under!));
    if (from < 0) continue;
    all += bytes;
    // Allocations of V8's and Node's own functions count for their caller.
    const last = path.findLast((name) => name.includes(' src/') || name.includes(' node_modules/')) ?? path.at(-1)!;
    own.set(last, (own.get(last) ?? 0) + bytes);
    for (const name of new Set(path.slice(from))) whole.set(name, (whole.get(name) ?? 0) + bytes);
  }
  const table = (title: string, sums: ReadonlyMap<string, number>): string =>
    tableText({
      header: [title, 'bytes a request'],
      rows: [...sums]
        .sort((a, b) => b[1] - a[1])
        .slice(0, Number(flags.top))
        .map(([name, bytes]) => [name, String(Math.round(bytes / count))]),
    });
  process.stdout.write(`${Math.round(all / count)} bytes a request\n\n${table('own', own)}\n${table('with what it calls', whole)}\n`);
} finally {
  await sluice.stop();
}
