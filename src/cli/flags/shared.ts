import { Option } from 'commander';
import { fileOf } from '../stdin.ts';

/** The default admin address. */
export const defaultAdmin = 'http://127.0.0.1:9901';

/** Flags that several commands share, as arguments for commander: `.option(...shared.ledger)`. */
export const shared = {
  admin: ['--admin <url>', "a running server's admin address", defaultAdmin],
  adminInstead: ['--admin <url>', 'ask a running server instead'],
  adminToken: ['--admin-token <file>', 'file with the admin token, where the server has one; - for stdin', fileOf],
  context: ['--context <name>', 'of the kubeconfig (default: the current one)'],
  ledger: ['--ledger <file>', 'the ledger: a file, postgres://… or clickhouse://… (default: $SLUICE_LEDGER, or where serve keeps it)'],
  catalog: [
    '--catalog <file>',
    'price catalog; - for stdin (default: $SLUICE_CATALOG, else the embedded one)',
    fileOf,
    process.env['SLUICE_CATALOG'],
  ],
  policy: [
    '--policy <path>',
    'policy file or folder; - for stdin (default: $SLUICE_POLICY, else the embedded policy)',
    fileOf,
    process.env['SLUICE_POLICY'],
  ],
  window: ['--window <time>', 'how far back: 90m, 24h, 30d (default: all)'],
  month: ['--month <month>', 'a calendar month, UTC: 2026-10'],
  from: ['--from <time>', 'from this day or time on, UTC: 2026-10-01, 2026-10-01T12:00Z'],
  to: ['--to <time>', 'up to this day or time, which is not in it (default: now)'],
  ofWorkspace: ['--workspace <name>', 'of this workspace'],
  model: ['--model <file>', 'model file; - for stdin (default: the one that comes with Sluice)', fileOf],
  html: ['--html <file>', 'write the report with plots here'],
  out: ['--out <file>', 'write here instead of to stdout'],
  json: ['--json', 'print JSON'],
} as const;

/** `--where`, which may be given more than once. */
export function whereOption(about: string): Option {
  return new Option('--where <condition>', `${about}; may be given more than once`)
    .argParser((value: string, all: readonly string[]) => [...all, value])
    .default([], 'none');
}
