import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { deployFiles } from './deploy.ts';

const root = new URL('../../', import.meta.url);
const files = await deployFiles();
const sluice = (...args: readonly string[]): string =>
  execFileSync(fileURLToPath(new URL('bin/sluice', root)), args, {
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

describe('the manifests in deploy/', () => {
  it.each([...files])('are as they are rendered now: %s', (path, text) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(text);
  });

  it.each([
    ['deploy/istio/sidecar.yaml', ['istio']],
    ['deploy/istio/egress-gateway.yaml', ['istio', '--attach', 'egress-gateway', '--namespace', 'istio-system']],
    ['deploy/envoy-gateway/sluice.yaml', ['envoy-gateway']],
  ])('are what the command prints: %s', (path, args) => {
    expect(sluice('render', ...args)).toBe(files.get(path));
  });

  it.each([...files.values()])('hold objects that are small enough for kubectl apply', (text) => {
    for (const document of parseAllDocuments(text)) expect(JSON.stringify(document.toJS()).length).toBeLessThan(200 * 1024);
  });

  it('say what is wrong with a selector', () => {
    expect(() => sluice('render', 'istio', '--selector', 'app')).toThrow(/SLUICE_CLI_USAGE.*app is no list of labels/s);
  });
});
