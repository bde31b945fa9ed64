import { found, variable } from './containers.ts';

/** Once a run, before all tests: which of their servers run in containers. */
export default async function setup(): Promise<void> {
  if (process.env[variable] !== undefined) return;
  const { names, problem } = await found();
  process.env[variable] = names.join(',');
  if (problem !== null) process.stderr.write(`${problem}: tests run on the installed servers instead.\n`);
}
