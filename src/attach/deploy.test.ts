import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { sluice } from '../cli/testing/run.ts';
import { deployFiles } from './deploy.ts';

const root = new URL('../../', import.meta.url);
const files = await deployFiles();

describe('the manifests in deploy/', () => {
  it.each([...files])('are as they are rendered now: %s', (path, text) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(text);
  });

  it.each([
    ['deploy/istio/sidecar.yaml', ['istio']],
    ['deploy/istio/egress-gateway.yaml', ['istio', '--attach', 'egress-gateway', '--namespace', 'istio-system']],
    ['deploy/envoy-gateway/sluice.yaml', ['envoy-gateway']],
    ['deploy/kgateway/sluice.yaml', ['kgateway']],
  ])('are what the command prints: %s', async (path, args) => {
    expect(await sluice(['render', ...args])).toEqual({ code: 0, stdout: files.get(path), stderr: '' });
  });

  it.each([...files.values()])('hold objects that are small enough for kubectl apply', (text) => {
    for (const document of parseAllDocuments(text)) expect(JSON.stringify(document.toJS()).length).toBeLessThan(200 * 1024);
  });

  it('say what is wrong with a selector', async () => {
    expect(await sluice(['render', 'istio', '--selector', 'app'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/SLUICE_CLI_USAGE.*app is no list of labels/s) as string,
    });
  });
});
