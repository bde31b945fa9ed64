import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { numberedBody } from './bodies.ts';
import { Checkouts, shortName } from './compare/commit.ts';
import { Driver, ExchangePlan } from './direct/driver.ts';
import { ProbedSluice } from './direct/sluice.ts';
import { flameSvg, joined } from './flame/tree.ts';
import { root } from './processes.ts';

/**
 * Where the main thread's time goes during exchanges that are fed over the socket, as a flame graph (SVG), of a commit or of what lies here.
 * Usage: npm run bench -- flame [COMMIT] [--bytes 1024] [--count 20000] [--out docs/flame.svg]
 */
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bytes: { type: 'string', default: '1024' },
    count: { type: 'string', default: '20000' },
    out: { type: 'string', default: join(root, 'bench/results/flame.svg') },
  },
});
const [commit = '.'] = positionals;
const [bytes, count] = [Number(flags.bytes), Number(flags.count)];
if (!(bytes >= 100 && count >= 100)) throw new Error('--bytes and --count are numbers from 100 on');
/** After these V8 has compiled what is often called. */
const warm = 6_000;
/** Exchanges at once. */
const concurrency = 16;

const checkouts = new Checkouts();
try {
  const checkout = checkouts.of(commit);
  const policy = readFileSync(join(checkout, 'src/policy/default-policy.yaml'), 'utf8');
  const sluice = await ProbedSluice.start({ policy, checkout });
  try {
    const driver = await Driver.connect(sluice.socket);
    const plan = new ExchangePlan(numberedBody(bytes));
    await driver.run(plan, warm, concurrency);
    const stacks = await sluice.stacks(() => driver.run(plan, count, concurrency));
    driver.close();
    const title = `${shortName(commit)}: ${count.toLocaleString('en-US')} exchanges of ${bytes.toLocaleString('en-US')} bytes, shares of the main thread's time`;
    writeFileSync(resolve(flags.out), flameSvg(joined(stacks), title));
    process.stdout.write(`${title}\n${resolve(flags.out)}\n`);
  } finally {
    await sluice.stop();
  }
} finally {
  checkouts.remove();
}
process.exit(0);
