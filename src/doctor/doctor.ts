import { counted } from '../lib/counted.ts';
import { reasonOf } from '../lib/errors.ts';
import { parseMetrics, sumOf } from '../status/metrics-text.ts';
import { askEnvoy, failOpenCount } from './envoy-checks.ts';
import { probe } from './probe.ts';
import { listens, sluiceChecks } from './sluice-checks.ts';
import { bad, ok, type CheckResult, type SelfFacts } from './types.ts';

export interface DoctorQuestion {
  /** Sluice's admin address. */
  readonly admin: URL;
  /** Envoy's admin address; undefined: as Sluice reports, else the default; null: do not ask. */
  readonly envoyAdmin: URL | null | undefined;
  /** Where apps call Envoy; null: as Envoy reports. */
  readonly gateway: URL | null;
}

/** Envoy's admin address as written by `render envoy` and `serve --envoy-config`. */
const usualEnvoyAdmin = 'http://127.0.0.1:9902';

/** Maximum time to wait for an answer of Sluice's admin, in ms. */
const askMs = 15_000;

/** Clock difference from which on it is reported, in ms. */
const clockMs = 5_000;

/** Asks Sluice and Envoy whether requests are decided, and what prevents it. Never rejects. */
export async function examine({ admin, envoyAdmin, gateway }: DoctorQuestion): Promise<CheckResult[]> {
  const { facts, results, ahead } = await askSluice(admin);
  const envoyUrl =
    envoyAdmin === undefined ? new URL(facts?.envoyAdmin == null ? usualEnvoyAdmin : `http://${facts.envoyAdmin}`) : envoyAdmin;
  const envoy = envoyUrl === null ? null : await askEnvoy(envoyUrl, facts, Date.now());
  if (envoy !== null) results.push(...envoy.results);
  else results.push(bad('envoy', 'skipped', 'Envoy is not asked', ''));
  results.push(...clockResults(ahead, envoy?.clockMs ?? null));
  if (facts !== null) results.push(...(await trafficResults(admin, envoyUrl)));
  const found = gateway ?? gatewayOf(envoy?.check?.listeners ?? []);
  if (found === null) results.push(bad('decided', 'skipped', 'where apps call Envoy is not known', 'Say it: --url http://HOST:PORT.'));
  else results.push(await probe({ gateway: found, sluice: facts === null ? null : admin, envoy: envoy?.check == null ? null : envoyUrl }));
  return results;
}

async function askSluice(
  admin: URL,
): Promise<{ readonly facts: SelfFacts | null; readonly results: CheckResult[]; readonly ahead: number | null }> {
  try {
    const response = await fetch(new URL('/checks', admin), { signal: AbortSignal.timeout(askMs) });
    const facts = (await response.json()) as SelfFacts;
    if (!response.ok || typeof facts.listen !== 'string')
      throw new Error(`it answered ${response.status}, and not as a Sluice of this version`);
    const ahead = Date.parse(facts.time) - Date.now();
    const results = sluiceChecks(facts, Date.now());
    const reason = await listens(facts.listen);
    if (reason !== null)
      results.push(
        bad(
          'socket',
          'error',
          `Sluice says that it listens at ${facts.listen}: ${reason}`,
          'The socket was removed, or this is another machine: run this where Sluice runs, or restart Sluice.',
        ),
      );
    return { facts, results, ahead };
  } catch (error) {
    return {
      facts: null,
      results: [
        bad(
          'sluice',
          'error',
          `Sluice's admin at ${admin.host} does not answer: ${reasonOf(error)}`,
          'Start `sluice serve`, or name its admin by --admin HOST:PORT.',
        ),
      ],
      ahead: null,
    };
  }
}

function clockResults(sluice: number | null, envoy: number | null): CheckResult[] {
  const told = [
    ['Sluice', sluice],
    ['Envoy', envoy],
  ] as const;
  const off = told.flatMap(([who, ms]) =>
    ms !== null && Math.abs(ms) > clockMs
      ? [`${who}'s is ${Math.round(Math.abs(ms) / 1_000)} s ${ms > 0 ? 'ahead of' : 'behind'} this machine's`]
      : [],
  );
  if (off.length > 0)
    return [
      bad(
        'clocks',
        'warning',
        `clocks differ: ${off.join(', ')}`,
        'Synchronise them (NTP): periods of budgets, times in records and signatures go by them.',
      ),
    ];
  return told.every(([, ms]) => ms === null) ? [] : [ok('clocks', `agree to ${clockMs / 1_000} s`)];
}

/** Requests that passed undecided since the start. */
async function trafficResults(admin: URL, envoy: URL | null): Promise<CheckResult[]> {
  try {
    const samples = parseMetrics(await (await fetch(new URL('/metrics', admin), { signal: AbortSignal.timeout(askMs) })).text());
    const passed = new Map(
      samples
        .filter(({ name, value }) => name === 'llm_proxy_passthrough_total' && value > 0)
        .map(({ labels, value }) => [labels['reason'] ?? '', value]),
    );
    const failed = sumOf(samples, 'llm_proxy_fail_open_total');
    const skipped = envoy === null ? null : await failOpenCount(envoy);
    const results: CheckResult[] = [];
    if (skipped !== null && skipped > 0)
      results.push(
        bad(
          'traffic',
          'warning',
          `Envoy let ${counted(skipped, 'request')} pass without Sluice since it started (failure_mode_allowed)`,
          'If it still grows: see the other checks. An alert belongs on it (SluiceBypassed).',
        ),
      );
    if (failed > 0)
      results.push(
        bad(
          'traffic',
          'warning',
          `Sluice let ${counted(failed, 'request')} pass because it failed (llm_proxy_fail_open_total)`,
          'Look at its log, and report it.',
        ),
      );
    const undecided = [...passed].map(([reason, count]) => `${count} ${reason}`).join(', ');
    return results.length > 0
      ? results
      : [
          ok(
            'traffic',
            `${counted(sumOf(samples, 'llm_proxy_request_total'), 'exchange')} since the start${undecided === '' ? '' : `; passed unread or undecided: ${undecided}`}`,
          ),
        ];
  } catch {
    return [];
  }
}

/** The first listener without TLS that has Sluice's filters, with its address as seen from this machine. */
function gatewayOf(listeners: readonly { readonly address: string; readonly tls: boolean }[]): URL | null {
  const found = listeners.find(({ tls }) => !tls);
  if (found === undefined) return null;
  const url = `http://${found.address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`;
  return URL.canParse(url) ? new URL(url) : null;
}
