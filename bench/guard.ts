import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { judge, type Figures } from './guard/judge.ts';
import { measure } from './guard/measure.ts';
import { root } from './processes.ts';

/**
 * Fails when a request allocates more, or costs more CPU, than the baseline that is kept with the code, by more than a stated
 * share. No time is judged. Usage: npm run bench -- guard [--write-baseline] [--checkout FOLDER]
 */
const { values: flags } = parseArgs({
  options: { 'write-baseline': { type: 'boolean', default: false }, checkout: { type: 'string', default: root } },
});
const file = join(root, 'bench/results/baseline.json');
const tries = 3;

async function main(): Promise<boolean> {
  if (flags['write-baseline']) {
    const runs = [await measure(flags.checkout), await measure(flags.checkout), await measure(flags.checkout)];
    const figures: Figures = Object.fromEntries(
      Object.keys(runs[0]!).map((name) => [name, runs.map((run) => run[name]!).sort((a, b) => a - b)[1]!]),
    );
    writeFileSync(file, `${JSON.stringify({ node: process.version, arch: process.arch, figures }, null, 1)}\n`);
    process.stdout.write(`${file}:\n${JSON.stringify(figures, null, 1)}\n`);
    return true;
  }
  const baseline = JSON.parse(readFileSync(file, 'utf8')) as { readonly node: string; readonly arch: string; readonly figures: Figures };
  if (baseline.node !== process.version || baseline.arch !== process.arch) {
    // A different architecture is a developer's machine; a different Node version is a change in this project and needs a new baseline.
    process.stdout.write(
      `The baseline is of Node ${baseline.node} on ${baseline.arch}, this is ${process.version} on ${process.arch}: \`npm run bench -- guard --write-baseline\` makes one for it.\n`,
    );
    return baseline.node === process.version;
  }
  // One high value may be caused by the machine; a value that is high every time is a regression. The minimum of all tries counts.
  let least: Figures = {};
  for (let turn = 0; turn < tries; turn++) {
    const found = await measure(flags.checkout);
    least = Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Math.min(value, least[name] ?? Infinity)]));
    const { text, ok } = judge(baseline.figures, least);
    if (ok || turn === tries - 1) {
      process.stdout.write(text);
      return ok;
    }
  }
  return false;
}

process.exit((await main()) ? 0 : 1);
