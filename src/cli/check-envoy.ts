import { counted } from '../lib/counted.ts';
import { readFileSync } from 'node:fs';
import { checkEnvoy, configOfFile, type EnvoyFinding } from '../attach/check/index.ts';
import type { EnvoyOptions } from '../attach/render.ts';
import { withFile } from '../lib/read-file.ts';

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
    ...grouped(findings).map(
      ({ level, where, message, fix, also }) =>
        `${level === 'error' ? '✗' : '!'} ${where}\n    ${message}\n    → ${fix}\n${also.length === 0 ? '' : `    also at ${also.join(', ')}\n`}`,
    ),
    `${file === '-' ? 'stdin' : file}: ${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}. ${ok ? 'Its requests are decided.' : 'Its requests are not all decided as the policy says.'}\n`,
  ].join('');
}

/** Findings that say the same, as one, with the other places: their lines, or their paths where no lines are known. */
function grouped(findings: readonly EnvoyFinding[]): (EnvoyFinding & { readonly also: readonly string[] })[] {
  const groups = new Map<string, EnvoyFinding & { readonly also: string[] }>();
  for (const finding of findings) {
    const key = `${finding.level}\n${finding.message}\n${finding.fix}`;
    const first = groups.get(key);
    if (first === undefined) groups.set(key, { ...finding, also: [] });
    else first.also.push(/^line \d+/.exec(finding.where)?.[0] ?? finding.where);
  }
  return [...groups.values()];
}

/** Reads a whole file; `-`: stdin. Throws SLUICE_FILE_UNREADABLE. */
function readAll(file: string): string {
  return withFile(file, () => readFileSync(file === '-' ? 0 : file, 'utf8'));
}
