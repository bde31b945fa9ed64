import { counted } from '../lib/counted.ts';
import { readFileSync } from 'node:fs';
import { checkEnvoy, configOfFile, type EnvoyFinding } from '../attach/check/index.ts';
import type { EnvoyOptions } from '../attach/render.ts';
import { SluiceError } from '../lib/errors.ts';

/**
 * `render envoy --check FILE`: prints what is missing or wrong in the file; exit 1 if there is an error. `-`: stdin. Throws SluiceError.
 */
export function checkEnvoyFile(file: string, options: EnvoyOptions, json: boolean): void {
  const { findings } = checkEnvoy(configOfFile(readAll(file), file), options);
  const ok = !findings.some(({ level }) => level === 'error');
  process.stdout.write(json ? `${JSON.stringify({ ok, findings }, null, 2)}\n` : text(file, findings, ok));
  process.exitCode = ok ? 0 : 1;
}

function text(file: string, findings: readonly EnvoyFinding[], ok: boolean): string {
  const errors = findings.filter(({ level }) => level === 'error').length;
  return [
    ...findings.map(({ level, where, message, fix }) => `${level === 'error' ? '✗' : '!'} ${where}\n    ${message}\n    → ${fix}\n`),
    `${file}: ${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}. ${ok ? 'Its requests are decided.' : 'Its requests are not all decided as the policy says.'}\n`,
  ].join('');
}

/** Reads a whole file; `-`: stdin. Throws SLUICE_FILE_UNREADABLE. */
function readAll(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new SluiceError('SLUICE_FILE_UNREADABLE', error instanceof Error ? error.message : String(error), { where: file, cause: error });
  }
}
