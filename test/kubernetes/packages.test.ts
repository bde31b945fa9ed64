import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plainHelm } from './support/helm.ts';
import { findTool, missing } from './support/tools.ts';

const run = promisify(execFile);
const absent = missing('helm');
const repository = join(import.meta.dirname, '../..');
let root: string;

/** A checkout in which 0.1.0 is released. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-packages-'));
  cpSync(join(repository, 'helm'), join(root, 'helm'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"version":"0.1.0"}');
  writeFileSync(join(root, 'CHANGELOG.md'), '# Changelog\n\n## 0.1.0\n\nThe first.\n');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const release = (...args: readonly string[]): Promise<{ readonly stdout: string }> =>
  run(process.execPath, [join(repository, 'scripts/release.ts'), '--root', root, '--charts-only', ...args], {
    env: { ...process.env, HELM: findTool('helm') ?? 'helm', HOME: root },
  });

/** As much of an OCI registry as takes what is pushed and gives it back. */
function registry(): Server {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { readonly type: string; readonly body: Buffer }>();
  const digest = (body: Buffer): string => `sha256:${createHash('sha256').update(body).digest('hex')}`;
  return createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const { pathname, searchParams } = new URL(request.url!, 'http://registry');
      const [, name, kind, reference] = /^\/v2\/(.+)\/(blobs|manifests)\/(.*)$/.exec(pathname) ?? [];
      const answer = (status: number, headers: Record<string, string> = {}, content?: Buffer): void => {
        response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : content);
      };
      if (kind === undefined) return answer(200);
      if (request.method === 'POST') return answer(202, { location: `/v2/${name}/blobs/uploads/${randomUUID()}` });
      if (request.method === 'PUT' && kind === 'blobs') {
        if (digest(body) !== searchParams.get('digest')) return answer(400);
        blobs.set(digest(body), body);
        return answer(201);
      }
      if (request.method === 'PUT') {
        const entry = { type: request.headers['content-type'] ?? '', body };
        for (const key of [reference!, digest(body)]) manifests.set(`${name}@${key}`, entry);
        return answer(201, { 'docker-content-digest': digest(body) });
      }
      const blob = blobs.get(reference!);
      const found = kind === 'blobs' ? blob && { type: 'application/octet-stream', body: blob } : manifests.get(`${name}@${reference}`);
      if (found === undefined) return answer(404);
      return answer(
        200,
        { 'content-type': found.type, 'content-length': String(found.body.length), 'docker-content-digest': digest(found.body) },
        found.body,
      );
    });
  });
}

describe.skipIf(absent !== '')(`packages of a release${absent}`, () => {
  it('are made with their sums, pushed, and pulled again as they were', async () => {
    const server = registry();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const at = `oci://127.0.0.1:${(server.address() as AddressInfo).port}/charts`;
      const out = join(root, 'out');
      expect((await release('--out', out, '--push', at, '--plain-http')).stdout).toContain('2 charts in oci://');
      const [sluice, definitions] = [/^sluice-\d.*\.tgz$/, /^sluice-crds-.*\.tgz$/].map((pattern) =>
        readdirSync(out).find((name) => pattern.test(name))!,
      );
      const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8');
      const hash = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
      for (const name of [sluice!, definitions!]) expect(sums).toContain(`${hash(join(out, name))}  ${name}\n`);
      expect(await plainHelm(['show', 'chart', join(out, sluice!)], {})).toContain('appVersion: 0.1.0');

      const back = join(root, 'back');
      mkdirSync(back);
      const version = /^sluice-(\d.*)\.tgz$/.exec(sluice!)![1]!;
      await plainHelm(['pull', `${at}/sluice`, '--version', version, '--plain-http', '--destination', back], { HOME: root });
      expect(hash(join(back, sluice!))).toBe(hash(join(out, sluice!)));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it.each<[string, string, string, RegExp]>([
    ['the changelog', 'CHANGELOG.md', '# Changelog\n\n## Unreleased\n\n## 0.1.0\n', /newest section of CHANGELOG\.md is Unreleased/],
    ['the package', 'package.json', '{"version":"0.2.0"}', /appVersion of helm\/sluice is 0\.1\.0[^]*names the image sluice:0\.1\.0/],
  ])('are not made where %s says another version', async (_, file, text, problem) => {
    writeFileSync(join(root, file), text);
    await expect(release('--out', join(root, 'out'))).rejects.toMatchObject({ stderr: expect.stringMatching(problem) as string });
  });
});
