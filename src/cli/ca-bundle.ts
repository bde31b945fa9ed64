import { writeFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import type { Command } from 'commander';
import { SluiceError } from '../lib/errors.ts';
import { trustStoreOf } from '../lib/java-trust-store.ts';
import { writeText } from './write-text.ts';

/** `sluice ca-bundle`: the public CAs and a private one in one file, for libraries whose CA file setting replaces their own CAs. */
export function registerCaBundle(program: Command): void {
  program
    .command('ca-bundle')
    .description('write the public CAs and the private one of $SLUICE_CA_PEM into one file')
    .requiredOption('--out <file>', 'the file')
    .option('--java <file>', 'the same as a trust store for Java (JKS, without a password)')
    .action(async ({ out, java }: { readonly out: string; readonly java?: string }) => {
      const own = process.env['SLUICE_CA_PEM'] ?? '';
      if (!own.includes('BEGIN CERTIFICATE')) throw new SluiceError('SLUICE_CLI_USAGE', 'SLUICE_CA_PEM holds no certificate.');
      const bundle = `${own.trim()}\n${rootCertificates.join('\n')}\n`;
      await writeText(out, bundle);
      if (java !== undefined) await writeFile(java, trustStoreOf(bundle));
    });
}
