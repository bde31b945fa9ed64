import { feedbackPath } from '../grades/request.ts';
import { reasonOf } from '../lib/errors.ts';
import { parseMetrics, sumOf } from '../status/metrics-text.ts';
import { failOpenCount } from './envoy-checks.ts';
import { bad, ok, type CheckResult } from './types.ts';

/** Maximum time to wait for the probe's answer, in ms. */
const probeMs = 15_000;

/** Whether a request through Envoy reaches Sluice. */
export interface Probe {
  /** Where apps call Envoy. */
  readonly gateway: URL;
  /** Sluice's admin address; null if it does not answer. */
  readonly sluice: URL | null;
  /** Envoy's admin address; null if it cannot be asked. */
  readonly envoy: URL | null;
}

/**
 * Sends unreadable feedback through Envoy: Sluice answers it itself, so it costs nothing and reaches no provider, unless Sluice is not
 * called. Such a request needs everything that a decision needs: the filter, the connection, the body. Never rejects.
 */
export async function probe({ gateway, sluice, envoy }: Probe): Promise<CheckResult> {
  const [seenBefore, passedBefore] = await Promise.all([feedbackSeen(sluice), envoy === null ? null : failOpenCount(envoy)]);
  let status: number;
  let body: string;
  try {
    const response = await fetch(new URL(feedbackPath, gateway), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ decision: 'doctor' }),
      signal: AbortSignal.timeout(probeMs),
    });
    status = response.status;
    body = await response.text();
  } catch (error) {
    return bad(
      'decided',
      'error',
      `a request to ${gateway.origin} got no answer: ${reasonOf(error)}`,
      'Check that Envoy listens there; --url says where apps call.',
    );
  }
  if (!body.includes('"bad-feedback"'))
    return undecided(
      gateway,
      status,
      envoy === null || passedBefore === null ? null : ((await failOpenCount(envoy)) ?? passedBefore) - passedBefore,
    );
  const seen = await feedbackSeen(sluice);
  if (seenBefore === null || seen === null) return ok('decided', `a request to ${gateway.origin} was answered by a Sluice`);
  return seen > seenBefore
    ? ok('decided', `a request to ${gateway.origin} reached this Sluice, body and all`)
    : bad(
        'decided',
        'warning',
        `a request to ${gateway.origin} reached a Sluice, and not the one that was asked here`,
        'In a fleet this is another replica. Else Envoy calls another Sluice: compare --admin and the cluster.',
      );
}

function undecided(gateway: URL, status: number, passed: number | null): CheckResult {
  const what = `a request to ${gateway.origin} went past Sluice (it got ${status} from elsewhere)`;
  if (passed !== null && passed > 0)
    return bad(
      'decided',
      'error',
      `${what}: Envoy could not reach Sluice, or waited too long, and let it pass (failure_mode_allow)`,
      "Nothing is routed, no budget or block holds, no cost is known. See the checks of the socket and of Envoy's config.",
    );
  return bad(
    'decided',
    'error',
    `${what}: no filter of this listener asked Sluice, or Envoy gave up before`,
    "Nothing is routed, no budget or block holds, no cost is known. See the checks of Envoy's config; `sluice render envoy --snippet` has the filters.",
  );
}

/** Number of unreadable feedback calls at a Sluice so far; null if it cannot be asked. */
async function feedbackSeen(sluice: URL | null): Promise<number | null> {
  if (sluice === null) return null;
  try {
    const text = await (await fetch(new URL('/metrics', sluice), { signal: AbortSignal.timeout(probeMs) })).text();
    return sumOf(parseMetrics(text), 'llm_proxy_feedback_total', ({ result }) => result === 'invalid');
  } catch {
    return null;
  }
}
