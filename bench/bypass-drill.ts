import { readFileSync, writeFileSync } from 'node:fs';
import { bypassDrill, rowHeader, rowOf, type Tried } from './bypass/drill.ts';

/** `npm run drill -- bypass [--write]`: tries every known way around a block, a budget, a rate limit and a mask, and writes the tables into docs/security.md. */
const { block, budget, limit, mask, kept, allowed } = await bypassDrill();
const stopped = allowed.filter(({ through, recorded }) => !through || !recorded);
for (const { way, status } of stopped) process.stdout.write(`should have passed: ${way.what} (${status})\n`);
const all = [block, budget, limit, mask];
const failed = (tried: readonly Tried[]): readonly Tried[] => tried.filter(({ through }) => through);
for (const { way, status, recorded } of all.flatMap(failed))
  process.stdout.write(`got through: ${way.kind}: ${way.what} (${status}${recorded ? '' : ', not recorded'})\n`);
for (const file of kept) process.stdout.write(`kept in ${file}\n`);
const page = new URL('../docs/security.md', import.meta.url);
const rows = [
  rowOf('a block (a pattern, or a banned model)', block),
  rowOf('a hard budget that is used up', budget),
  rowOf('a rate limit that is reached', limit),
  rowOf('a mask: requests that hold the text to be masked', mask),
];
const text = `${[rowHeader, ...rows].join('\n')}\n`;
process.stdout.write(`${text}\n`);
if (process.argv.includes('--write'))
  writeFileSync(page, readFileSync(page, 'utf8').replace(/(<!-- bypass -->\n)[\s\S]*(<!-- \/bypass -->)/, `$1${text}$2`));
process.exitCode = all.flatMap(failed).length + stopped.length + kept.length === 0 && block.length >= 150 && budget.length >= 40 ? 0 : 1;
