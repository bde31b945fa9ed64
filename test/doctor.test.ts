/* eslint-disable @typescript-eslint/no-unsafe-member-access -- Envoy's config: its shape is Envoy's, and the tests change all of it */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { freePorts, Stack, type StackOptions } from '../src/demo/stack.ts';
import type { CheckResult, SelfFacts } from '../src/doctor/types.ts';
import { certificateCheck, sluiceChecks } from '../src/doctor/sluice-checks.ts';
import { clusterOf, filterOf, sluiceBeside as sluice } from './support/own-envoy.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-doctor-'));
const key = join(folder, 'spare');
const policy = (more = ''): string => `
version: 1
providers: { spare: { dialect: openai, endpoint: "http://127.0.0.1:9", pathPrefix: /spare, credentialFile: ${key} } }
defaults:
  ${more}
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
`;

const simulator = new ProviderSimulator();
let endpoint = '';

/** In a run on a moved clock (`npm test -- --clock`), Sluice's and Envoy's differ: that has to be found, and nothing else changes. */
const clockMoved = process.env['FAKETIME'] !== undefined;

/** Starts a stack, asks the doctor, and stops it. */
async function examined(
  options: Partial<StackOptions> = {},
  before: (stack: Stack) => Promise<void> | void = () => undefined,
  ...more: string[]
): Promise<{ readonly checks: readonly CheckResult[]; readonly code: number | null }> {
  const stack = new Stack({ policy: policy(), endpoint, ...options });
  try {
    await stack.start();
    await before(stack);
    const { out, code } = await sluice(['doctor', '--admin', stack.adminUrl, '--envoy-admin', stack.envoyAdminUrl, '--json', ...more]);
    const { checks } = JSON.parse(out) as { checks: CheckResult[] };
    for (const { state, found } of checks.filter(({ check }) => check === 'clocks'))
      expect([state, found]).toEqual(
        clockMoved
          ? ['warning', expect.stringMatching(/^clocks differ: Envoy's is \d+ s (ahead of|behind) this machine's$/)]
          : ['ok', 'agree to 5 s'],
      );
    return { checks, code };
  } finally {
    await stack.stop();
  }
}

function wrong(checks: readonly CheckResult[]): string[] {
  return checks
    .filter(({ check, state }) => (state === 'error' || state === 'warning') && !(clockMoved && check === 'clocks'))
    .map(({ check, state, found }) => `${state} ${check}: ${found}`);
}

beforeAll(async () => {
  writeFileSync(key, 'secret');
  endpoint = await simulator.listen();
});

afterAll(async () => {
  await simulator.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('sluice doctor', () => {
  it('finds nothing wrong with a gateway that works, and reaches no provider', async () => {
    const { checks, code } = await examined();
    expect([wrong(checks), code]).toEqual([[], 0]);
    expect(checks.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        'sluice',
        'policy',
        'keys',
        'ledger',
        'disk',
        'envoy',
        'envoy config',
        'socket',
        'clocks',
        'traffic',
        'decided',
      ]),
    );
    expect(checks.find(({ check }) => check === 'decided')?.found).toMatch(/reached this Sluice, body and all$/);
    expect(simulator.received).toEqual([]);
  });

  it('says so when Envoy calls another socket, which fail-open hides', async () => {
    const { checks, code } = await examined({
      envoyConfig: (config) => {
        clusterOf(config, 'sluice')['load_assignment'].endpoints[0].lb_endpoints[0].endpoint.address.pipe.path = join(folder, 'wrong.sock');
        return config;
      },
    });
    expect(code).toBe(1);
    expect(wrong(checks)).toEqual([
      expect.stringMatching(
        /^error envoy config: the cluster sluice leads to unix:.*wrong\.sock, and Sluice listens at unix:.*sluice\.sock/,
      ),
      expect.stringMatching(/^error socket: Envoy calls unix:.*wrong\.sock: there is no such socket$/),
      expect.stringMatching(/^error decided: .*Envoy could not reach Sluice, or waited too long, and let it pass \(failure_mode_allow\)$/),
    ]);
    expect(checks.find(({ check }) => check === 'socket')?.fix).toMatch(/^Sluice listens at unix:.*: point Envoy's cluster there/);
  });

  it('says so when no filter asks Sluice for the body', async () => {
    const { checks, code } = await examined({
      envoyConfig: (config) => {
        delete filterOf(config, 'envoy.filters.http.ext_proc.sluice_request')['typed_config'].allow_mode_override;
        return config;
      },
    });
    expect([code, wrong(checks)]).toEqual([
      1,
      [expect.stringMatching(/^error envoy config: Sluice may not ask for the body/), expect.stringMatching(/^error decided: /)],
    ]);
  });

  it('says so when a key is missing, the policy is refused, and nothing is routed', async () => {
    const { checks, code } = await examined({ policy: policy('mode: shadow').replace(key, join(folder, 'none')) }, async (stack) => {
      stack.writePolicy('version: 1\ndefaults: { mode: sometimes }\n');
      await expect
        .poll(
          async () => ((await fetch(`${stack.adminUrl}/policy`).then((answer) => answer.json())) as { lastRefusal: unknown }).lastRefusal,
          { timeout: 10_000 },
        )
        .not.toBeNull();
    });
    expect(code).toBe(1);
    expect(wrong(checks)).toEqual([
      expect.stringMatching(/^error policy: the newest edit is refused, .*policy\.yaml:2 /),
      'warning policy: requests without a workspace keep their model: mode shadow',
      expect.stringMatching(/^error keys: .*none cannot be read or is empty: nothing can be sent to spare/),
    ]);
  });

  it('says so when Sluice is gone, its socket was removed, or Redis does not answer', async () => {
    const gone = await examined({}, (stack) => stack.stopSluice('SIGKILL'));
    expect([gone.code, wrong(gone.checks)]).toEqual([
      1,
      [
        expect.stringMatching(/^error sluice: .*nothing listens there/),
        expect.stringMatching(/^error socket: Envoy calls unix:.*: nothing listens there/),
        expect.stringMatching(/^error decided: /),
      ],
    ]);

    const redis = await examined({ serve: ['--cache-redis', 'redis://127.0.0.1:1', '--budgets-redis', 'redis://127.0.0.1:1'] }, (stack) =>
      rmSync(join(stack.folder, 'sluice.sock')),
    );
    expect(wrong(redis.checks).filter((said) => !said.startsWith('warning'))).toEqual([
      expect.stringMatching(/^error redis: the Redis of --cache-redis does not answer/),
      expect.stringMatching(/^error redis: the Redis of --budgets-redis does not answer/),
      expect.stringMatching(/^error socket: Sluice says that it listens at .*there is no such socket/),
      expect.stringMatching(/^error socket: Envoy calls .*there is no such socket/),
      expect.stringMatching(/^error decided: .*went past Sluice/),
    ]);
  });

  it("goes without Envoy's admin, and says in words what to do", async () => {
    const stack = new Stack({ policy: policy(), endpoint });
    try {
      await stack.start();
      const { out, code } = await sluice(['doctor', '--admin', stack.adminUrl, '--envoy-admin', 'off', '--url', stack.url]);
      expect([code, out]).toEqual([
        0,
        expect.stringMatching(
          /^– envoy +Envoy is not asked$[^]*^✓ decided +a request to http:\/\/127\.0\.0\.1:\d+ reached this Sluice, body and all\n\n0 errors, 0 warnings\.\n$/m,
        ),
      ]);
      const [free] = await freePorts(1);
      const other = await sluice(['doctor', '--admin', stack.adminUrl, '--envoy-admin', `127.0.0.1:${free!}`, '--url', endpoint]);
      expect([other.code, other.out]).toEqual([
        1,
        expect.stringMatching(
          /^✗ envoy +Envoy's admin at 127\.0\.0\.1:\d+ does not answer: nothing listens there[^]*→ Start Envoy[^]*^✗ decided .*no filter of this listener asked Sluice[^]*\n2 errors, 0 warnings\.\n$/m,
        ),
      ]);
      expect((await sluice(['doctor', '--url', 'a b'])).code).toBe(2);
    } finally {
      await stack.stop();
    }
  });
});

describe("what Sluice's own facts say", () => {
  const now = Date.parse('2026-03-01T00:00:00Z');
  const facts: SelfFacts = {
    version: '1',
    time: '',
    ready: true,
    listen: 'unix:/s',
    envoyAdmin: null,
    policy: { hash: 'h', embedded: false, keptSince: null, refused: [], modes: { openai: 'enabled' }, failClosed: false, providers: [] },
    keys: [],
    ledger: { place: '/l', kind: 'SQLite', shared: false, error: null, failures: 0, dropped: 0, waiting: 0 },
    redis: [],
    disks: [],
    certificates: [],
  };

  it.each<readonly [string, Partial<SelfFacts>, RegExp]>([
    ['a start that is not over', { ready: false }, /^error sluice: .*not ready/],
    [
      'a kept policy',
      { policy: { ...facts.policy, keptSince: '2026-01-01' } },
      /^error policy: the policy cannot be read; the one of 2026-01-01 is in force/,
    ],
    ['no policy', { policy: { ...facts.policy, embedded: true } }, /^warning policy: no policy was given/],
    [
      'a provider that is off',
      { policy: { ...facts.policy, modes: { openai: 'enabled', google: 'off' } } },
      /^warning policy: requests for google keep their model: mode off/,
    ],
    [
      'a key that rests',
      { keys: [{ file: '/k', providers: [], problem: 'resting' }] },
      /^warning keys: the key in \/k \(a section of the policy\) rests/,
    ],
    ['no ledger', { ledger: null }, /^warning ledger/],
    [
      'a database that is gone',
      { ledger: { place: 'postgres://x', kind: 'PostgreSQL', shared: true, error: 'ECONNREFUSED', failures: 1, dropped: 0, waiting: 3 } },
      /^error ledger: PostgreSQL postgres:\/\/x does not answer: ECONNREFUSED/,
    ],
    [
      'a ledger that lost records',
      { ledger: { place: '/l', kind: 'SQLite', shared: false, error: null, failures: 1, dropped: 2, waiting: 0 } },
      /^error ledger: .*2 records lost/,
    ],
    [
      'a ledger that cannot be written',
      { ledger: { place: '/l', kind: 'SQLite', shared: false, error: null, failures: 4, dropped: 0, waiting: 9 } },
      /^error ledger: .*9 records wait/,
    ],
    ['a full disk', { disks: [{ path: '/d', freeBytes: 5_000_000 }] }, /^error disk: \/d has room for 4 MiB/],
    ['a disk that fills', { disks: [{ path: '/d', freeBytes: 500 * 1024 * 1024 }] }, /^warning disk: \/d has room for 500 MiB/],
    ['no folder', { disks: [{ path: '/d', freeBytes: null }] }, /^error disk: \/d is not there/],
    [
      'a certificate that has ended',
      { certificates: [{ file: '/c', until: '2026-02-01T00:00:00Z' }] },
      /^error certificate: \/c has ended on 2026-02-01/,
    ],
    [
      'a certificate that ends',
      { certificates: [{ file: '/c', until: '2026-03-05T00:00:00Z' }] },
      /^warning certificate: \/c ends on 2026-03-05, in 4 days/,
    ],
    ['no certificate', { certificates: [{ file: '/c', until: null }] }, /^error certificate: \/c cannot be read/],
  ])('%s', (_name, change, said) => {
    expect(wrong(sluiceChecks(facts, now))).toEqual([]);
    expect(wrong(sluiceChecks({ ...facts, ...change }, now))).toEqual([expect.stringMatching(said)]);
  });

  it('lets a certificate that holds be', () => {
    expect(certificateCheck('/c', '2026-12-01T00:00:00Z', now).state).toBe('ok');
  });
});
