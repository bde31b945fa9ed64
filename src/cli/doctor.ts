import { counted } from '../lib/counted.ts';
import type { Command } from 'commander';
import type { CheckResult } from '../doctor/types.ts';
import { adminUrl } from './ask-admin.ts';
import { shared } from './flags/shared.ts';

interface DoctorFlags {
  readonly admin: string;
  readonly envoyAdmin?: string;
  readonly url?: string;
  readonly json?: boolean;
}

/**
 * `sluice doctor`: checks whether requests are decided, and if not, why and what to do. Exit 0: no errors (there may be warnings); 1: an
 * error.
 */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('ask Sluice and Envoy whether requests are really decided, and say what to do where something is wrong')
    .option(...shared.admin)
    .option(
      '--envoy-admin <host:port>',
      "Envoy's admin, or off where it cannot be asked (default: as serve --envoy-admin says, else 127.0.0.1:9902)",
    )
    .option('--url <url>', 'where apps call Envoy (default: as Envoy says)')
    .option(...shared.json)
    .action(async (flags: DoctorFlags) => {
      const { examine } = await import('../doctor/doctor.ts');
      const checks = await examine({
        admin: adminUrl(flags.admin),
        envoyAdmin:
          flags.envoyAdmin === undefined ? undefined : flags.envoyAdmin === 'off' ? null : adminUrl(flags.envoyAdmin, '--envoy-admin'),
        gateway: flags.url === undefined ? null : adminUrl(flags.url, '--url'),
      });
      const ok = !checks.some(({ state }) => state === 'error');
      process.stdout.write(flags.json === true ? `${JSON.stringify({ ok, checks }, null, 2)}\n` : text(checks));
      process.exitCode = ok ? 0 : 1;
    });
}

const marks = { ok: '✓', warning: '!', error: '✗', skipped: '–' } as const;

function text(checks: readonly CheckResult[]): string {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const number = (state: CheckResult['state']): number => checks.filter((check) => check.state === state).length;
  const lines = checks.flatMap(({ check, state, found, fix }) => [
    `${marks[state]} ${check.padEnd(width)}  ${found}`,
    ...(fix === '' ? [] : [`  ${' '.repeat(width)}  → ${fix}`]),
  ]);
  return `${lines.join('\n')}\n\n${counted(number('error'), 'error')}, ${counted(number('warning'), 'warning')}.\n`;
}
