import { rootCertificates } from 'node:tls';
import type { Command } from 'commander';
import { SluiceError } from '../lib/errors.ts';
import { writeText } from './write-text.ts';

/** `sluice ca-bundle`: the public CAs and a private one in one file, for libraries whose CA file setting replaces their own CAs. */
export function registerCaBundle(program: Command): void {
  program
    .command('ca-bundle')
    .description('write the public CAs and the private one of $SLUICE_CA_PEM into one file')
    .requiredOption('--out <file>', 'the file')
    .action(async ({ out }: { readonly out: string }) => {
      const own = process.env['SLUICE_CA_PEM'] ?? '';
      if (!own.includes('BEGIN CERTIFICATE')) throw new SluiceError('SLUICE_CLI_USAGE', 'SLUICE_CA_PEM holds no certificate.');
      await writeText(out, `${own.trim()}\n${rootCertificates.join('\n')}\n`);
    });
}
