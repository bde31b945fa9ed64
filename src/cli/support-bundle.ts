import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { reasonOf, SluiceError } from '../lib/errors.ts';
import { linesOfFile } from '../lib/lines.ts';
import { asked, bundleText } from '../doctor/bundle.ts';
import { Redactor } from '../doctor/redact.ts';
import { adminUrl, askAdmin } from './ask-admin.ts';
import { shared } from './flags/shared.ts';
import { fileOf } from './stdin.ts';
import { writeText } from './write-text.ts';

interface BundleFlags {
  readonly admin: string;
  readonly log?: string;
  readonly logLines: string;
  readonly out: string;
  readonly json?: boolean;
}

const metricsMs = 10_000;

/** `sluice support-bundle`: everything that a bug report needs in one file, without prompts, credentials and names. */
export function registerSupportBundle(program: Command): void {
  program
    .command('support-bundle')
    .description('what a report of a bug needs, in one JSON file: without prompts, credentials and names of users')
    .option(...shared.admin)
    .option('--log <file>', "the server's log: its last lines; - for stdin", fileOf)
    .option('--log-lines <n>', 'how many of them', '500')
    .option('--out <file>', 'where it goes; - for stdout', 'sluice-support.json')
    .option('--json', 'say what was written as JSON')
    .action(async (flags: BundleFlags) => {
      const count = Number(flags.logLines);
      if (!Number.isInteger(count) || count < 0)
        throw new SluiceError('SLUICE_CLI_USAGE', 'a whole number is asked for.', { where: '--log-lines' });
      const logLines = flags.log === undefined ? null : await lastLines(flags.log, count);
      const answers = Object.fromEntries(
        await Promise.all(
          Object.entries(asked).map(async ([name, path]) => {
            const url = new URL(path, 'http://admin');
            return [name, await askAdmin(flags.admin, url.pathname, { query: url.searchParams }).catch(asError)] as const;
          }),
        ),
      );
      const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string };
      const text = bundleText(
        { version, time: new Date().toISOString(), answers, metrics: await metricsOf(flags.admin), logLines },
        new Redactor(),
      );
      if (flags.out === '-') {
        process.stdout.write(text);
        return;
      }
      await writeText(flags.out, text, 0o600);
      const missing = Object.entries(answers).flatMap(([name, answer]) => (answer instanceof Error ? [name] : []));
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ out: flags.out, bytes: Buffer.byteLength(text), missing })}\n`
          : `${flags.out}: look it through before you send it.${missing.length === 0 ? '' : ` Not answered by ${flags.admin}: ${missing.join(', ')}.`}\n`,
      );
    });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

async function metricsOf(admin: string): Promise<string | Error> {
  try {
    return await fetch(new URL('/metrics', adminUrl(admin)), { signal: AbortSignal.timeout(metricsMs) }).then((response) =>
      response.text(),
    );
  } catch (error) {
    return new Error(reasonOf(error));
  }
}

/** The newest lines of a file, oldest first. Throws SLUICE_FILE_UNREADABLE. */
async function lastLines(file: string, count: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOfFile(file)) {
    if (line === '') continue;
    lines.push(line);
    if (lines.length > count) lines.shift();
  }
  return lines;
}
