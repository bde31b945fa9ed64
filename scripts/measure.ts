import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { kinds, listText, type Kind } from './measures.ts';

/**
 * Runs one benchmark or drill: `npm run bench -- NAME [OPTIONS]`, `npm run drill -- NAME [OPTIONS]`. Without a name it lists them; benches
 * then run the first.
 */
const [kind, ...args] = process.argv.slice(2) as [Kind, ...string[]];
const measures = kinds[kind];
const named = args[0] === undefined || args[0].startsWith('-') ? null : args[0];
const name = named ?? (kind === 'bench' ? Object.keys(measures)[0]! : null);
const measure = name === null ? undefined : measures[name];

if (named === null) process.stderr.write(`${listText(kind)}\n`);
if (measure === undefined) {
  if (named !== null) process.stderr.write(`${named} is not one of them.\n${listText(kind)}\n`);
  process.exitCode = named === null ? 0 : 2;
} else {
  const file = fileURLToPath(new URL(`../${measure.file}`, import.meta.url));
  const rest = named === null ? args : args.slice(1);
  const { status } = spawnSync(file.endsWith('.sh') ? 'sh' : process.execPath, [file, ...rest], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
