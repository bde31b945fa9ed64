import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { PatchOperation } from './admission.ts';
import { injectSidecar, readSidecarTemplate } from './sidecar.ts';

const template = {
  url: 'http://127.0.0.1:10000',
  containers: [
    {
      name: 'sluice',
      image: 's',
      ports: [{ name: 'admin', containerPort: 9901 }],
      startupProbe: { httpGet: { path: '/readyz', port: 'admin' }, periodSeconds: 1 },
      volumeMounts: [{ name: 'run', mountPath: '/run/sluice' }],
      env: [
        { name: 'SLUICE_LOG', value: '-' },
        { name: 'SLUICE_ENVOY_MEMORY', valueFrom: { resourceFieldRef: { containerName: 'envoy', resource: 'limits.memory' } } },
      ],
      restartPolicy: 'Always',
    },
    {
      name: 'envoy',
      image: 'e',
      ports: [{ name: 'http', containerPort: 10_000 }],
      livenessProbe: { tcpSocket: { port: 9903 } },
      volumeMounts: [{ name: 'run', mountPath: '/run/sluice' }],
      restartPolicy: 'Always',
    },
  ],
  volumes: [{ name: 'run', emptyDir: {} }],
  imagePullSecrets: ['registry'],
  otherPorts: [9902],
};

describe('a gateway in the app’s own pod', () => {
  let folder: string;
  const write = (value: unknown): string => {
    const file = join(folder, 'sidecar.yaml');
    writeFileSync(file, stringify(value));
    return file;
  };
  const inject = async (spec: object): Promise<readonly PatchOperation[]> =>
    injectSidecar(
      { uid: 'u', operation: 'CREATE', namespace: 'shop', object: { metadata: {}, spec } },
      await readSidecarTemplate(write(template)),
    ).patch ?? [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-sidecar-'));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it('comes before the pod’s own init containers, under names of its own', async () => {
    const patch = await inject({ initContainers: [{ name: 'init' }], containers: [{ name: 'http' }], volumes: [{ name: 'run' }] });
    const added = patch.filter(({ path }) => /^\/spec\/(initContainers\/\d+|volumes\/-)$/.test(path));
    expect(added).toMatchObject([
      { path: '/spec/volumes/-', value: { name: 'sluice-run' } },
      {
        path: '/spec/initContainers/0',
        value: {
          name: 'sluice',
          ports: [{ name: 'sluice-admin', containerPort: 9901 }],
          startupProbe: { httpGet: { path: '/readyz', port: 'sluice-admin' }, periodSeconds: 1 },
          volumeMounts: [{ name: 'sluice-run' }],
          env: [
            { name: 'SLUICE_LOG', value: '-' },
            { name: 'SLUICE_ENVOY_MEMORY', valueFrom: { resourceFieldRef: { containerName: 'sluice-envoy', resource: 'limits.memory' } } },
          ],
          restartPolicy: 'Always',
        },
      },
      {
        path: '/spec/initContainers/1',
        value: { name: 'sluice-envoy', ports: [{ name: 'sluice-http' }], livenessProbe: { tcpSocket: { port: 9903 } } },
      },
    ]);
  });

  it('is what the SDKs of every container call', async () => {
    const patch = await inject({ containers: [{ name: 'app' }, { name: 'other', env: [{ name: 'OPENAI_BASE_URL', value: 'mine' }] }] });
    expect(patch.find(({ path }) => path === '/spec/containers/0/env')?.value).toContainEqual({
      name: 'OPENAI_BASE_URL',
      value: 'http://127.0.0.1:10000/v1',
    });
    expect(JSON.stringify(patch.filter(({ path }) => path.startsWith('/spec/containers/1/env')))).not.toContain('OPENAI_BASE_URL');
  });

  it('brings the credentials for its images', async () => {
    expect(await inject({ containers: [{ name: 'app' }] })).toContainEqual({
      op: 'add',
      path: '/spec/imagePullSecrets',
      value: [{ name: 'registry' }],
    });
  });

  it.each([
    [10_000, 'containers'],
    [9902, 'containers'],
    [9901, 'initContainers'],
  ])('stays out of a pod that uses one of its ports, with a warning: %i of %s', async (containerPort, list) => {
    const containers = [{ name: 'app' }, { name: 'web', ports: [{ containerPort }] }];
    const object = { metadata: {}, spec: { containers: [{ name: 'main' }], [list]: containers } };
    const answer = injectSidecar({ uid: 'u', operation: 'CREATE', namespace: 'shop', object }, await readSidecarTemplate(write(template)));
    expect(answer).toMatchObject({ allowed: true, egress: { mode: 'sidecar', result: 'skipped' } });
    expect(answer.warnings).toEqual([
      expect.stringContaining(`container web uses port ${containerPort}, which the gateway in the pod uses`),
    ]);
    expect(answer.patch!.every(({ path }) => path.startsWith('/metadata/'))).toBe(true);
  });

  it('is put in once', async () => {
    expect(await inject({ initContainers: [{ name: 'sluice' }, { name: 'sluice-envoy' }], containers: [{ name: 'app' }] })).toEqual([]);
  });

  it('needs a template that is one', async () => {
    await expect(readSidecarTemplate(write({ ...template, url: 'none' }))).rejects.toThrow('url');
    await expect(readSidecarTemplate(join(folder, 'absent'))).rejects.toThrow('ENOENT');
  });
});
