import { randomBytes } from 'node:crypto';
import { KubeConfig, V1ConfigMap, V1ObjectMeta } from '@kubernetes/client-node';
import { afterEach, describe, expect, it } from 'vitest';
import { catalog, compiled } from '../../test/support/policy.ts';
import { nothingAgreed, type Agreed } from '../experiments/agreed.ts';
import { RolloutPolicies } from '../experiments/policies.ts';
import type { LivePolicyStore, PolicySnapshot } from '../policy/types.ts';
import { ConfigMapRollouts, type ConfigMapApi } from './shared-rollouts.ts';

const failure = (code: number): Error => Object.assign(new Error(`status ${code}`), { code });

/** A ConfigMap as an API server keeps it: a write on top of an older version is refused. */
class ConfigMapServer {
  /** What is refused next, by the call. */
  readonly refusals: { readonly get: number[]; readonly put: number[] } = { get: [], put: [] };
  writes = 0;
  conflicts = 0;
  /** Called before a write is looked at. */
  beforeWrite: () => Promise<unknown> = () => Promise.resolve();
  data: Record<string, string> = {};
  #version = 1;

  readonly api: ConfigMapApi = {
    readNamespacedConfigMap: async () => {
      const refused = this.refusals.get.shift();
      if (refused !== undefined) throw failure(refused);
      await Promise.resolve();
      const metadata = Object.assign(new V1ObjectMeta(), { resourceVersion: String(this.#version) });
      return Object.assign(new V1ConfigMap(), { metadata, data: { other: 'stays' }, binaryData: { ...this.data } });
    },
    replaceNamespacedConfigMap: async ({ body }: { body: V1ConfigMap }) => {
      await this.beforeWrite();
      const refused = this.refusals.put.shift();
      if (refused !== undefined) throw failure(refused);
      if (body.metadata?.resourceVersion !== String(this.#version)) {
        this.conflicts++;
        throw failure(409);
      }
      expect(body.data).toEqual({ other: 'stays' });
      this.#version++;
      this.writes++;
      this.data = { ...body.binaryData };
      return body;
    },
  };
}

const text = (model: string, more = ''): string => `version: 1\n${more}defaults: { candidates: { simple: [${model}] }, tiers: [simple] }\n`;
const rolls = 'rollout: { stages: [10%, 50%], requests: 1, minutes: 0 }\n';
const [old, tried, next] = [compiled(text('gpt-small')), compiled(text('gpt-middle', rolls)), compiled(text('gpt-large', rolls))];

/** For what takes moments, on a machine that is busy. */
const soon = { timeout: 30_000, interval: 10 };

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

interface Replica {
  readonly policies: RolloutPolicies;
  readonly rollouts: ConfigMapRollouts;
  readonly problems: readonly string[];
  edit(policy: PolicySnapshot): void;
  place(): unknown;
}

async function openedAt(server: ConfigMapServer, problems: string[] = []): Promise<ConfigMapRollouts> {
  const rollouts = await ConfigMapRollouts.open({
    config: new KubeConfig(),
    namespace: 'llm',
    name: 'rollouts',
    api: server.api,
    intervalMs: 10,
    onError: (problem) => problems.push(problem),
  });
  opened.push(rollouts);
  return rollouts;
}

/** A pod without files. */
async function replicaOf(server: ConfigMapServer, newest: PolicySnapshot): Promise<Replica> {
  const problems: string[] = [];
  const rollouts = await openedAt(server, problems);
  let current = newest;
  let listener: (generation: PolicySnapshot) => void = () => undefined;
  const source: LivePolicyStore = {
    current: () => current,
    lastRefusal: () => null,
    onChange: (change) => {
      listener = change;
      return () => undefined;
    },
    onRefusal: () => () => undefined,
    close: () => Promise.resolve(),
    sources: () => [],
    setCatalog: () => undefined,
  };
  const policies = new RolloutPolicies({
    source,
    catalog,
    file: null,
    shared: rollouts,
    onRuleError: () => undefined,
    onChange: () => undefined,
    onError: (error) => expect(error).toBeNull(),
  });
  return {
    policies,
    rollouts,
    problems,
    edit: (policy) => listener((current = policy)),
    place: () => {
      const { stable, candidate, rolledBack } = policies.rollout.status();
      return { stable, candidate: candidate?.policy ?? null, rolledBack };
    },
  };
}

const back = { stable: old.hash, candidate: null, rolledBack: [tried.hash] };

describe('what replicas agree on in a ConfigMap', () => {
  it('is the rollback where two write at the same time, a rollback and a promotion', async () => {
    const server = new ConfigMapServer();
    const [first, second] = [await replicaOf(server, old), await replicaOf(server, old)];
    for (const each of [first, second]) each.edit(tried);
    await expect
      .poll(() => [first, second].map(({ rollouts }) => rollouts.agreed?.edits[0]?.policy), soon)
      .toEqual([tried.hash, tried.hash]);
    // Both have read the same version when they write.
    let waiting = 0;
    const both = Promise.withResolvers<null>();
    server.beforeWrite = () => {
      if (++waiting === 2) both.resolve(null);
      return both.promise;
    };
    second.policies.rollout.promote();
    first.policies.rollout.rollback('asked');
    await expect.poll(() => [first.place(), second.place()], soon).toEqual([back, back]);
    await expect.poll(() => server.conflicts, soon).toBeGreaterThan(0);
    expect((await replicaOf(server, tried)).place()).toEqual(back);
    expect(first.problems).toEqual([]);
  });

  it('is written again after failures, with what has come meanwhile', async () => {
    const server = new ConfigMapServer();
    const first = await replicaOf(server, old);
    first.edit(tried);
    await expect.poll(() => first.rollouts.agreed?.edits[0]?.policy, soon).toBe(tried.hash);
    server.refusals.put.push(500, 503, 429);
    first.policies.rollout.rollback('asked');
    await expect.poll(() => server.refusals.put.length, soon).toBeLessThan(3);
    first.edit(next);
    await expect.poll(() => server.refusals.put, soon).toEqual([]);
    await expect.poll(() => first.rollouts.agreed?.edits[0]?.policy, soon).toBe(next.hash);
    const place = { stable: old.hash, candidate: next.hash, rolledBack: [tried.hash] };
    expect((await replicaOf(server, next)).place()).toEqual(place);
    // A series of failures is said once.
    expect(first.problems).toEqual(['500 status 500']);
  });

  it('reaches a pod that starts right after a rollback, even before that is written', async () => {
    const server = new ConfigMapServer();
    const first = await replicaOf(server, old);
    first.edit(tried);
    await expect.poll(() => first.rollouts.agreed?.edits[0]?.policy, soon).toBe(tried.hash);
    const written = Promise.withResolvers<null>();
    server.beforeWrite = () => written.promise;
    first.policies.rollout.rollback('asked');
    const late = await replicaOf(server, tried);
    expect(late.place()).toMatchObject({ stable: old.hash, candidate: tried.hash });
    written.resolve(null);
    await expect.poll(() => late.place(), soon).toEqual(back);
    expect((await replicaOf(server, tried)).place()).toEqual(back);
  });

  it('is written before a pod ends', async () => {
    const server = new ConfigMapServer();
    const first = await replicaOf(server, old);
    first.edit(tried);
    server.refusals.put.push(409, 409);
    first.policies.rollout.rollback('asked');
    await first.rollouts.close();
    expect((await replicaOf(server, tried)).place()).toEqual(back);
  });

  it('counts as soon as it can be read', async () => {
    const server = new ConfigMapServer();
    const first = await replicaOf(server, old);
    first.edit(tried);
    first.policies.rollout.rollback('asked');
    await expect.poll(() => first.rollouts.agreed?.rolledBack, soon).toEqual([tried.hash]);
    server.refusals.get.push(503, 503);
    const late = await replicaOf(server, tried);
    // Until then a pod uses the policy that it finds, says nothing, and is not ready.
    expect([late.place(), late.rollouts.known]).toEqual([{ stable: tried.hash, candidate: null, rolledBack: [] }, false]);
    await expect.poll(() => late.place(), soon).toEqual(back);
    expect(late.rollouts.known).toBe(true);
    expect(first.place()).toEqual(back);
  });

  it('is not asked for where it cannot be read, and nothing is written there', async () => {
    const server = new ConfigMapServer();
    server.data = { 'rollouts.json.br': Buffer.from('not this').toString('base64') };
    const first = await replicaOf(server, old);
    expect(first.rollouts.known).toBe(true);
    first.edit(tried);
    expect(first.place()).toMatchObject({ stable: old.hash, candidate: tried.hash });
    await first.rollouts.close();
    expect(server.writes).toBe(0);
    expect(first.problems).toEqual([expect.stringMatching(/^rollouts\.json\.br is nothing that this version reads: /)]);
    const forbidden = new ConfigMapServer();
    forbidden.refusals.get.push(...Array.from({ length: 100 }, () => 403));
    expect((await replicaOf(forbidden, old)).rollouts.known).toBe(true);
  });

  it('has no texts that are too large, so that a new pod goes on with the policy that it finds, and takes nothing from the others', async () => {
    const server = new ConfigMapServer();
    const largeOf = (): PolicySnapshot => compiled(`${text('gpt-small')}# ${randomBytes(600_000).toString('base64')}\n`);
    const [kept, large] = [largeOf(), largeOf()];
    const first = await replicaOf(server, kept);
    first.edit(large);
    first.edit(tried);
    await expect.poll(() => first.rollouts.agreed?.edits[0]?.policy, soon).toBe(tried.hash);
    expect((first.rollouts.agreed as Agreed).texts).toEqual(nothingAgreed.texts);
    const late = await replicaOf(server, tried);
    expect(late.place()).toMatchObject({ stable: tried.hash, candidate: null });
    first.policies.rollout.follow(tried.hash, 1);
    await expect.poll(() => late.rollouts.agreed?.edits[0], soon).toMatchObject({ stage: 1, promoted: false, before: large.hash });
    expect(first.place()).toMatchObject({ stable: large.hash, candidate: tried.hash });
    const { writes } = server;
    await late.rollouts.close();
    expect(server.writes).toBe(writes);
  });
});
