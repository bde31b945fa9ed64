import type { Command } from 'commander';

/** `sluice demo`: runs Envoy, Sluice and a provider simulator on loopback, sends about thirty requests, and shows the results. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('show what Sluice does: real Envoy, official SDKs, a local provider simulator')
    .option('--once', 'end after the table')
    .option('--live', 'use the real providers whose keys are in OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY')
    .action(async (flags: { once?: boolean; live?: boolean }) => {
      const { runDemo } = await import('../demo/run.ts');
      await runDemo({ once: flags.once === true, live: flags.live === true });
    });
}
