import { Counter, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parseMetrics, sumOf } from './metrics-text.ts';
import { statusText } from './report.ts';
import type { ReplicaFacts, ReplicaStatus } from './replica.ts';
import type { Sidecars } from './sidecars.ts';

const facts: ReplicaFacts = {
  version: '1.2.3',
  policy: {
    number: 4,
    hash: '0123456789abcdef',
    resourceVersion: '812',
    ageSeconds: 7_300,
    refused: true,
    none: true,
    embedded: true,
    catalog: 'c',
    notInForce: ['a/b (last-good)'],
  },
  exchanges: 200,
  failOpen: 3,
  keysMissing: 2,
  fallbacks: 12,
  exhausted: 1,
  cooling: ['openai/gpt-5.1'],
  savings: {
    apart: { usd: 0, exchanges: 0 },
    since: '2026-01-01T00:00:00.000Z',
    cost: { usd: 2, known: 150, unknown: 50 },
    baseline: { usd: 10, known: 150, unknown: 50 },
    savings: { usd: 8, known: 150, unknown: 50 },
    shadow: { usd: 0, known: 0, unknown: 0 },
  },
  sources: { collect: { collected: 170, copies: 10 } },
  usage: { answers: 180, unknown: { 'not-asked': 8, cut: 1 } },
};

describe('metrics as text', () => {
  it('are read as they were written, whatever their labels hold', async () => {
    const registry = new Registry();
    const counter = new Counter({ name: 'c_total', help: 'x', labelNames: ['model'], registers: [registry] });
    for (const [index, model] of ['plain', 'a "quoted", {braced} one', 'back\\slash', 'two\nlines'].entries())
      counter.inc({ model }, index + 0.5);
    const samples = parseMetrics(await registry.metrics());
    expect(samples.map(({ labels, value }) => [labels['model'], value])).toEqual([
      ['plain', 0.5],
      ['a "quoted", {braced} one', 1.5],
      ['back\\slash', 2.5],
      ['two\nlines', 3.5],
    ]);
    expect([sumOf(samples, 'c_total'), sumOf(samples, 'c_total', ({ model }) => model === 'plain'), sumOf(samples, 'c')]).toEqual([
      8, 0.5, 0,
    ]);
  });
});

describe('the status of a release', () => {
  it('has a line a replica, sums of those that answered, and what needs a look', () => {
    const replicas: ReplicaStatus[] = [
      { name: 'sluice-a', ready: true, state: 'asked', facts },
      {
        name: 'sluice-b',
        ready: true,
        state: 'asked',
        facts: {
          ...facts,
          policy: { ...facts.policy, hash: 'fedcba9876543210', refused: false, none: false, embedded: false, notInForce: [] },
          failOpen: 0,
          keysMissing: 0,
          cooling: [],
        },
      },
      { name: 'sluice-c', ready: false, state: 'unknown', why: 'no answer within 10 s' },
    ];
    expect(statusText('release rel in llm of prod', 3, replicas)).toBe(`release rel in llm of prod: 2 of 3 replicas ready

replica   ready  version  policy                                     since  exchanges  fallbacks  exhausted  resting
sluice-a  yes    1.2.3    #4 0123456789abcdef @812 (newest refused)  2h           200         12          1  openai/gpt-5.1
sluice-b  yes    1.2.3    #4 fedcba9876543210 @812                   2h           200         12          1  –
sluice-c  no     ?        ?                                          ?              ?          ?          ?  ?

saved   $16.0000 (80.0% of what was asked for) since the replicas started; unknown for 100 of 400 exchanges
cost    $4.0000
answers of Envoys that collect them: 340 collected, 20 as copies
usage   as providers told it for 95.0% of 360 answers; unknown: 16 not-asked, 2 cut

! not ready: 1 of 3 replicas
! sluice-a refuses the newest policy; GET /policy on its admin port says why
! sluice-a was given no policy: the one that comes with it only says what it would do (shadow mode)
! sluice-a has no policy: requests pass as their apps sent them
! sluice-a: not in force as written: a/b (last-good)
! sluice-a: 2 key files without a key, though the policy names them; GET /checks on its admin port says which
! sluice-a let 3 requests pass undecided
! sluice-c did not answer, its figures are in no sum: no answer within 10 s
! the replicas have 2 different policies or catalogs
`);
  });

  it('knows of no share where there was no answer', () => {
    const none = { usd: 0, known: 0, unknown: 0 };
    const idle: ReplicaFacts = {
      ...facts,
      exchanges: 0,
      failOpen: 0,
      policy: { ...facts.policy, refused: false, notInForce: [] },
      savings: { ...facts.savings, cost: none, baseline: none, savings: none },
      usage: { answers: 0, unknown: {} },
    };
    expect(statusText('Sluice', null, [{ name: 'a', ready: true, state: 'asked', facts: idle }])).toContain(
      'usage   as providers told it for – of 0 answers\n',
    );
  });

  it('has a line for sidecars, and unknown is not none', () => {
    const text = (sidecars: Sidecars): string => statusText('release side', 0, [], sidecars);
    expect(text({ state: 'listed', pods: 12, ready: 11, namespaces: 2, otherImage: 1 })).toContain(
      '\nsidecars 11 of 12 pods in 2 namespaces ready\n\n! no pod of Sluice is here; check --namespace and --release\n! sidecars not ready: 1 of 12\n! 1 sidecar with another image than the release: restart their pods\n',
    );
    expect(text({ state: 'listed', pods: 0, ready: 0, namespaces: 0, otherImage: 0 })).toContain('\nsidecars 0 of 0 pods ready\n');
    expect(text({ state: 'unknown', why: '403 no' })).toContain('! sidecars cannot be counted: 403 no\n');
  });
});
