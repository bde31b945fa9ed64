import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillDocs } from './docs.ts';
import { decision } from './parts/decision.ts';
import { delay } from './parts/delay.ts';
import { direct } from './parts/direct.ts';
import { memory } from './parts/memory.ts';
import { streams } from './parts/streams.ts';
import { traffic } from './parts/traffic.ts';
import type { Part } from './parts/types.ts';
import { machine, root } from './processes.ts';
import { takenText, type Taken } from './report.ts';
import { hasGo } from './stage.ts';

/** All parts of the bench, or those that hold what `--only` says. See docs/speed.md. */
const parts: readonly Part[] = [traffic, streams, direct, decision, delay, memory];

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '6' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: join(root, 'bench/results') },
    'write-docs': { type: 'boolean', default: false },
    note: { type: 'string', default: '' },
  },
});
const rounds = flags.quick ? 1 : Number(flags.rounds);
const seconds = flags.quick ? 1 : Number(flags.seconds);
if (!(rounds >= 1 && seconds > 0)) throw new Error('--rounds and --seconds are numbers above 0');

const named = parts.filter(({ id }) => id === flags.only);
const wanted = named.length > 0 ? named : parts.filter(({ titles }) => titles.some((title) => title.includes(flags.only)));
if (wanted.length === 0)
  throw new Error(`--only: nothing holds "${flags.only}"; there are ${parts.flatMap(({ id, titles }) => [id, ...titles]).join('; ')}`);

const results: Record<string, Taken> = {};
for (const part of wanted) {
  const only = part.id === flags.only ? '' : flags.only;
  process.stderr.write(`${part.id}\n`);
  const outcome = await part.run({ rounds, seconds, quick: flags.quick, only, progress: (what) => process.stderr.write(`· ${what}\n`) });
  const how = `${machine()}; no-op in ${hasGo() ? 'Go' : 'Node'}; ${rounds} rounds of ${seconds} s, median (lowest–highest)${flags.note === '' ? '' : `; ${flags.note}`}`;
  const command = `npm run bench -- --only ${/ /.test(flags.only) ? `"${flags.only}"` : flags.only || part.id} --rounds ${rounds} --seconds ${seconds}`;
  results[part.id] = { how, command, ...outcome };
  process.stdout.write(`${takenText(results[part.id]!)}\n\n`);
}

mkdirSync(flags.out, { recursive: true });
writeFileSync(join(flags.out, 'latest.json'), `${JSON.stringify(results, null, 1)}\n`);
writeFileSync(
  join(flags.out, 'latest.md'),
  Object.values(results)
    .map((taken) => `${takenText(taken)}\n`)
    .join('\n'),
);
if (flags['write-docs']) {
  const kept = join(root, 'bench/results/published.json');
  const published = { ...(JSON.parse(readFileSync(kept, 'utf8')) as Record<string, Taken>), ...results };
  writeFileSync(kept, `${JSON.stringify(published, null, 1)}\n`);
  fillDocs(published);
  process.stderr.write('docs/speed.md has these figures now\n');
}
