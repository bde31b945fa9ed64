import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { findTool } from './tools.ts';

const run = promisify(execFile);

export const chart = fileURLToPath(new URL('../../../helm/sluice', import.meta.url));

/** The chart with the definition of LLMPolicy. */
export const definitionsChart = fileURLToPath(new URL('../../../helm/sluice-crds', import.meta.url));

/** Values as JSON: no shell, no --set grammar. */
export type Values = Readonly<Record<string, unknown>>;

/** Runs helm; values go in by a file on stdin. Rejects with what it printed. */
export async function helm(args: readonly string[], values: Values = {}, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const tool = findTool('helm');
  if (tool === null) throw new Error('helm is missing');
  return new Promise((resolve, reject) => {
    const child = execFile(
      tool,
      [...args, '--values', '-'],
      { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${stderr}${stdout}`));
      },
    );
    child.stdin?.end(stringify(values));
  });
}

/** `helm template` of the chart as release `rel` of namespace `llm`. */
export function template(values: Values, from = chart): Promise<string> {
  return helm(['template', 'rel', from, '--namespace', 'llm', '--kube-version', '1.37.1'], values);
}

/** helm without values, such as rollback; what it printed, with the output of hooks, which it prints as errors. */
export async function plainHelm(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const tool = findTool('helm');
  if (tool === null) throw new Error('helm is missing');
  const { stdout, stderr } = await run(tool, args, { env: { ...process.env, ...env } });
  return stdout + stderr;
}
