import type { Command } from 'commander';
import { loadCatalog } from '../catalog/index.ts';
import { SluiceError } from '../lib/errors.ts';
import { policyFilesAt, readPolicy } from './read-policy.ts';

interface DemoFlags {
  readonly once?: boolean;
  readonly live?: boolean;
  readonly app?: boolean;
  readonly listen?: string;
  readonly policy?: string;
}

/** `sluice demo`: runs Envoy, Sluice and a provider simulator on loopback, sends about thirty requests, and shows the results. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('show what Sluice does: real Envoy, official SDKs, a local provider simulator')
    .option('--once', 'end after the table')
    .option('--live', 'use the real providers whose keys are in OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY')
    .option('--app', 'send nothing: show the requests of an app of yours, which the simulator answers without a key')
    .option('--listen <host:port>', 'where apps call Envoy (default: a free port of 127.0.0.1)')
    .option('--policy <file>', "a policy of yours; - for stdin (default: the demo's own)")
    .action(async ({ once = false, live = false, app = false, listen, policy }: DemoFlags) => {
      if (app && (once || live))
        throw new SluiceError('SLUICE_CLI_USAGE', '--app goes with neither --once nor --live.', { where: '--app' });
      if (listen !== undefined && !/^[\w.-]+:\d{1,5}$/.test(listen))
        throw new SluiceError('SLUICE_CLI_USAGE', `"${listen}" is no address.`, { where: '--listen', fix: 'Write HOST:PORT.' });
      if (policy !== undefined) readPolicy(policy, await loadCatalog());
      const { runDemo } = await import('../demo/run.ts');
      await runDemo({ once, live, app, listen: listen ?? null, policy: policy === undefined ? null : onePolicy(policy) });
    });
}

function onePolicy(path: string): string {
  const [file, ...more] = policyFilesAt(path);
  if (file === undefined || more.length > 0)
    throw new SluiceError('SLUICE_CLI_USAGE', `${path} is not one file.`, { where: '--policy', fix: 'Name the file of the policy.' });
  return file.text;
}
