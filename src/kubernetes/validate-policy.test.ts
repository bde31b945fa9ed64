import { describe, expect, it } from 'vitest';
import type { PolicySnapshot } from '../policy/types.ts';
import type { AdmissionAnswer, AdmissionRequest } from './admission.ts';
import { policyObjectId } from './compose.ts';
import type { RemovalPreview } from './policy-store.ts';
import { validatePolicy } from './validate-policy.ts';

const old = { metadata: { name: 'base', namespace: 'llm', labels: { policy: 'yes' } }, data: { 'policy.yaml': 'version: 1\n' } };
const deletion: AdmissionRequest = { uid: 'u', operation: 'DELETE', namespace: 'llm', object: null, oldObject: old };

describe('the removal of a policy', () => {
  const left: string[] = [];
  const ask = (request: AdmissionRequest, preview: Partial<RemovalPreview> = {}): Promise<AdmissionAnswer> => {
    left.length = 0;
    return validatePolicy(request, {
      policies: {
        preview: () => expect.unreachable(),
        previewRemoval: () => ({ changes: true, problems: [], generation: {} as PolicySnapshot, endsPolicy: true, ...preview }),
        selects: (kind, { policy }) => kind === 'LLMPolicy' || policy === 'yes',
        leaves: (object) => left.push(policyObjectId(object)),
      },
      effect: () => Promise.resolve(['effect: some.']),
      missingKeys: () => expect.unreachable(),
    });
  };

  it('is refused where it is the last one, and not counted as done', async () => {
    expect(await ask(deletion)).toMatchObject({
      allowed: false,
      message: expect.stringContaining(
        'effect: some.\nTo allow it: kubectl annotate configmap base --namespace llm sluice.dev/allow-no-policy=true',
      ) as string,
    });
    expect(left).toEqual([]);
  });

  it('passes with the annotation, before it or with it; another value is none', async () => {
    const annotated = (value: string): object => ({
      ...old,
      metadata: { ...old.metadata, annotations: { 'sluice.dev/allow-no-policy': value } },
    });
    const unlabelled = { ...old, metadata: { ...old.metadata, labels: {}, annotations: { 'sluice.dev/allow-no-policy': 'true' } } };
    for (const request of [
      { ...deletion, oldObject: annotated('true') },
      { ...deletion, operation: 'UPDATE', object: unlabelled },
    ] as AdmissionRequest[]) {
      expect(await ask(request)).toMatchObject({
        allowed: true,
        warnings: [expect.stringContaining('this removes the last policy'), 'effect: some.'],
      });
      expect(left).toEqual(['llm/base']);
    }
    expect((await ask({ ...deletion, oldObject: annotated('false') } as AdmissionRequest)).allowed).toBe(false);
  });

  it('does not keep a namespace from being deleted', async () => {
    const by = (username: string): AdmissionRequest => ({ ...deletion, userInfo: { username } });
    expect((await ask(by('system:serviceaccount:kube-system:namespace-controller'))).allowed).toBe(true);
    expect((await ask(by('system:serviceaccount:llm:namespace-controller'))).allowed).toBe(false);
  });

  it('counts no dry run as done', async () => {
    await ask({ ...deletion, dryRun: true }, { endsPolicy: false });
    expect(left).toEqual([]);
    await ask(deletion, { endsPolicy: false });
    expect(left).toEqual(['llm/base']);
  });

  it('says nothing of one that was not in force, and names what would break without one that others need', async () => {
    expect(await ask(deletion, { changes: false })).toEqual({ allowed: true });
    const problem = {
      level: 'error',
      code: 'unknown-provider',
      file: 'llm/team#policy.yaml',
      line: 3,
      column: 1,
      path: 'sections[0]',
      message: 'there is no provider acme.',
      fix: 'Add it.',
    } as const;
    const answer = await ask(deletion, { generation: null, endsPolicy: false, problems: [problem] });
    expect(answer.allowed).toBe(true);
    expect(answer.warnings?.join('\n')).toMatch(/others need this policy.*\n.*llm\/team#policy\.yaml:3:1 error unknown-provider/);
  });
});

it('warns of key files that hold no key, of those that this ConfigMap names', async () => {
  const text = 'version: 1\nproviders: { own: { credentialFile: /keys/mine } }\n';
  const object = { metadata: { ...old.metadata, resourceVersion: '7' }, data: { 'policy.yaml': text } };
  const answer = await validatePolicy(
    { uid: 'u', operation: 'UPDATE', namespace: 'llm', object, oldObject: old },
    {
      policies: {
        preview: () => ({ accepted: true, problems: [], generation: {} as PolicySnapshot }),
        previewRemoval: () => expect.unreachable(),
        selects: () => true,
        leaves: () => expect.unreachable(),
      },
      effect: () => Promise.resolve(['effect: some.']),
      missingKeys: () => Promise.resolve(['/keys/mine', '/keys/of-others']),
    },
  );
  expect(answer).toEqual({
    allowed: true,
    warnings: [expect.stringMatching(/^credentialFile \/keys\/mine holds no key in Sluice's pod: /), 'effect: some.'],
  });
});
