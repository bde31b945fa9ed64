import { checkEnvoy, configOfDump, type EnvoyCheck } from '../attach/check/index.ts';
import { abilitiesOf, fewestAbilities } from '../attach/abilities.ts';
import { defaultEnvoyVersion, envoyVersions, minorOf } from '../attach/versions.ts';
import { mergeProviders } from '../policy/providers.ts';
import { reasonOf } from '../lib/errors.ts';
import { listens, certificateCheck } from './sluice-checks.ts';
import { bad, ok, type CheckResult, type SelfFacts } from './types.ts';

/** Maximum time to wait for an answer of Envoy's admin, in ms. */
const askMs = 10_000;

/** State of a running Envoy, and its assessment. */
export interface EnvoySeen {
  readonly results: readonly CheckResult[];
  /** Null if its admin did not answer. */
  readonly check: EnvoyCheck | null;
  /** Ms by which its clock is ahead of ours, to a second; null if unknown. */
  readonly clockMs: number | null;
}

/** Queries Envoy's admin and checks its configuration. `facts`: Sluice's own; null if it does not answer. Never rejects. */
export async function askEnvoy(admin: URL, facts: SelfFacts | null, now: number): Promise<EnvoySeen> {
  let info: { readonly version?: string; readonly state?: string };
  let clockMs: number | null;
  try {
    const response = await ask(admin, '/server_info');
    info = (await response.json()) as typeof info;
    const date = Date.parse(response.headers.get('date') ?? '');
    clockMs = Number.isNaN(date) ? null : date - Date.now();
  } catch (error) {
    return {
      results: [
        bad(
          'envoy',
          'error',
          `Envoy's admin at ${admin.host} does not answer: ${reasonOf(error)}`,
          'Start Envoy, or name its admin by --envoy-admin HOST:PORT; off: it cannot be asked from here.',
        ),
      ],
      check: null,
      clockMs: null,
    };
  }
  const version = /\/(\d+\.\d+\.\d+)/.exec(info.version ?? '')?.[1] ?? defaultEnvoyVersion;
  const results: CheckResult[] = [
    info.state === 'LIVE'
      ? ok('envoy', `Envoy ${version} runs`)
      : bad(
          'envoy',
          'error',
          `Envoy ${version} is ${info.state ?? 'in an unknown state'}`,
          'Look at its log: it starts, drains, or waits for its control plane.',
        ),
  ];
  if (minorOf(version) < minorOf(envoyVersions[0]!))
    results.push(
      bad('envoy', 'error', `Envoy ${version} is older than any that Sluice was tried on`, `Use one of ${envoyVersions.join(', ')}.`),
    );
  try {
    const check = checkEnvoy(configOfDump(await (await ask(admin, '/config_dump')).json()), optionsOf(facts, version));
    results.push(...configResults(check, facts), ...(await reachResults(check, facts)), ...(await certificateResults(admin, now)));
    return { results, check, clockMs };
  } catch (error) {
    return {
      results: [...results, bad('envoy config', 'error', `its config cannot be read: ${reasonOf(error)}`, 'Check --envoy-admin.')],
      check: null,
      clockMs,
    };
  }
}

/** Options with which Envoy's config would be rendered for this Sluice. */
function optionsOf(facts: SelfFacts | null, version: string): Parameters<typeof checkEnvoy>[1] {
  return {
    providers:
      facts === null
        ? [...mergeProviders({}).values()]
        : facts.policy.providers.map((provider) => ({ ...provider, deployments: new Map() })),
    sluice: facts?.listen ?? 'unix:',
    listen: '127.0.0.1:0',
    admin: null,
    failClosed: facts?.policy.failClosed ?? false,
    closedProviders: facts?.policy.closedProviders ?? [],
    withholds: facts?.policy.withholds ?? false,
    caFile: '',
    otlp: null,
    memoryBytes: null,
    abilities: minorOf(version) < minorOf(envoyVersions[0]!) ? fewestAbilities : abilitiesOf(version),
    usage: 'observe',
  };
}

function configResults({ findings }: EnvoyCheck, facts: SelfFacts | null): CheckResult[] {
  // The expected config is known only from Sluice itself.
  if (facts === null) return [bad('envoy config', 'skipped', 'what it should be is not known without Sluice', '')];
  if (findings.length === 0) return [ok('envoy config', 'filters, routes and clusters are as Sluice needs them')];
  return findings.map(({ level, where, message, fix }) => bad('envoy config', level, `${message} (${where})`, fix));
}

/** Whether something listens at the address that Envoy's filters call. */
async function reachResults({ sluice }: EnvoyCheck, facts: SelfFacts | null): Promise<CheckResult[]> {
  return Promise.all(
    [...new Set(sluice)].map(async (address) => {
      const reason = await listens(address);
      if (reason === null) return ok('socket', `Envoy calls ${address}, and it takes connections`);
      return bad(
        'socket',
        'error',
        `Envoy calls ${address}: ${reason}`,
        facts === null
          ? `Start Sluice with --listen ${address}.`
          : facts.listen === address
            ? "The socket was removed while Sluice runs: restart Sluice. (Asked from another machine than Envoy's? Run this there.)"
            : `Sluice listens at ${facts.listen}: point Envoy's cluster there, or start Sluice with --listen ${address}.`,
      );
    }),
  );
}

interface Certificates {
  readonly certificates?: readonly { readonly cert_chain?: readonly { readonly path?: string; readonly expiration_time?: string }[] }[];
}

/** The certificates that Envoy presents to others. */
async function certificateResults(admin: URL, now: number): Promise<CheckResult[]> {
  const { certificates = [] } = (await (await ask(admin, '/certs')).json()) as Certificates;
  const ends = new Map(
    certificates.flatMap(({ cert_chain = [] }) =>
      cert_chain.map(({ path = 'a certificate of Envoy', expiration_time }) => [path, expiration_time ?? null] as const),
    ),
  );
  return [...ends].map(([path, until]) => certificateCheck(path, until, now));
}

/** Envoy's count of requests that passed undecided since it started; null if its admin does not answer. */
export async function failOpenCount(admin: URL): Promise<number | null> {
  try {
    const text = await (await ask(admin, '/stats?filter=failure_mode_allowed')).text();
    return [...text.matchAll(/sluice_request\.failure_mode_allowed: (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  } catch {
    return null;
  }
}

async function ask(admin: URL, path: string): Promise<Response> {
  const response = await fetch(new URL(path, admin), { signal: AbortSignal.timeout(askMs) });
  if (!response.ok) throw new Error(`${path}: it answered ${response.status}`);
  return response;
}
