import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ProbeResult } from '../doctor/decision-probe.ts';
import { SluiceError } from '../lib/errors.ts';
import { adminUrl } from './ask-admin.ts';
import { shared } from './flags/shared.ts';

interface ProbeFlags {
  readonly url?: string;
  readonly extProc?: string;
  readonly webhook?: string;
  readonly model: string;
  readonly json?: boolean;
}

/** A busy machine may decide one request too late; a Sluice that is gone decides none. */
const tries = 3;
const betweenMs = 1_000;

/** `sluice probe`: requests one decision, up to three times. Exit 1 if Sluice does not answer. Run by `helm test`. */
export function registerProbe(program: Command): void {
  program
    .command('probe')
    .description('ask for one decision, through Envoy or as an Envoy would, three times, and fail if Sluice does not answer')
    .option('--url <url>', 'where apps call Envoy: a chat request of one output token and without a key goes through it')
    .option('--ext-proc <host:port>', 'where Envoys call Sluice: nothing reaches a provider')
    .option('--webhook <url>', 'the webhook that puts gateways into pods')
    .option('--model <model>', 'the model that is asked for', 'gpt-5-nano')
    .option(...shared.json)
    .action(async ({ url, extProc, webhook, model, json }: ProbeFlags) => {
      if ([url, extProc, webhook].filter((each) => each !== undefined).length !== 1)
        throw new SluiceError('SLUICE_CLI_USAGE', 'one of --url, --ext-proc and --webhook says whom to ask.', { where: 'probe' });
      // gRPC is loaded only when needed.
      const { probeGateway, probeProcessor, probeWebhook } = await import('../doctor/decision-probe.ts');
      const ask = (): Promise<ProbeResult> =>
        url !== undefined
          ? probeGateway(adminUrl(url, '--url'), model)
          : extProc !== undefined
            ? probeProcessor(extProc, model)
            : probeWebhook(adminUrl(webhook!, '--webhook'));
      let { ok, said } = await ask();
      for (let tried = 1; !ok && tried < tries; tried++) {
        await sleep(betweenMs);
        ({ ok, said } = await ask());
      }
      process.stdout.write(json === true ? `${JSON.stringify({ ok, said })}\n` : `${said}\n`);
      process.exitCode = ok ? 0 : 1;
    });
}
