import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { limits } from '../lib/limits.ts';
import { makeAuthority } from './certificates/issue.ts';
import { ExtraCas } from './extra-cas.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-extra-cas-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function file(text: string): string {
  const path = join(folder, `${count++}.pem`);
  writeFileSync(path, text);
  return path;
}

const certificate = async (name: string): Promise<string> =>
  (await makeAuthority(name, { from: Date.now(), to: Date.now() + 86_400_000 }, [name])).crt.trim();
const cas = (...files: readonly string[]): { readonly extra: ExtraCas; readonly problems: unknown[] } => {
  const problems: unknown[] = [];
  return { extra: new ExtraCas(files, (error) => problems.push(error)), problems };
};

describe('further CAs for pods', () => {
  it('are those of all files, each once, without public ones', async () => {
    const [a, b] = [await certificate('a'), await certificate('b')];
    const { extra } = cas(file(`# the company\n${a}\n${rootCertificates.join('\n')}\n`), file(`${b}\n${a}\n`));
    expect(extra.current()).toBe(`${a}\n${b}`);
    expect(cas(file(rootCertificates.join('\n'))).extra.current()).toBe('');
    expect(cas().extra.current()).toBe('');
  });

  it('follow the files, and stay the last good ones while one cannot be read', async () => {
    const [a, b] = [await certificate('a'), await certificate('b')];
    const path = file(a);
    const { extra, problems } = cas(path);
    writeFileSync(path, b);
    expect(extra.current()).toBe(b);
    for (const damaged of ['', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
      writeFileSync(path, damaged);
      expect(extra.current()).toBe(b);
    }
    rmSync(path);
    expect(extra.current()).toBe(b);
    expect(problems).toEqual([
      expect.objectContaining({ code: 'SLUICE_FILE_UNREADABLE' }),
      expect.objectContaining({ code: 'SLUICE_FILE_UNREADABLE' }),
      expect.objectContaining({ code: 'SLUICE_FILE_UNREADABLE' }),
    ]);
  });

  it('stop a start where there are none, or more than a variable holds', async () => {
    expect(() => cas(join(folder, 'absent'))).toThrow('there is no such file');
    expect(() => cas(file('no certificate'))).toThrow('it holds no PEM certificate');
    const one = await certificate('a');
    const many = await Promise.all(
      Array.from({ length: Math.ceil(limits.egressCaBytes / one.length) + 1 }, (_, index) => certificate(`a${index}`)),
    );
    expect(() => cas(file(many.join('\n')))).toThrow(`a pod's variable holds ${limits.egressCaBytes}`);
  });
});
