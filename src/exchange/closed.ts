import type { SpentLimit } from '../budgets/calls.ts';
import { limitHeaders, renderError } from '../apis/index.ts';
import { dialects } from '../apis/registry.ts';
import type { ApiName, DialectFamily, PassReason, Recognition } from '../apis/types.ts';
import type { BodyPlan } from './plans.ts';
import type { PolicySection } from '../policy/types.ts';

/**
 * Whether requests that cannot be read or decided are refused: the policy says so, or it has patterns for sensitive data.
 */
export function isClosed({ failClosed, sensitivity, mode }: Pick<PolicySection, 'failClosed' | 'sensitivity' | 'mode'>): boolean {
  return mode === 'enabled' && (failClosed || sensitivity.length > 0);
}

/** The error for a request that is refused because it cannot be read or decided. */
const refusals: Readonly<Record<PassReason, readonly [status: number, message: string]>> = {
  'unknown-path': [404, 'The policy lets only requests pass that it can read, and this path is not one that it knows.'],
  'unknown-provider': [404, 'No provider is known for this host and path.'],
  'ambiguous-provider': [
    400,
    "More than one provider has this path, and the request's headers do not say which is meant. Call it by the provider's path prefix on this gateway or by its host name, or send the headers of its SDK.",
  ],
  'no-gateway-key': [503, 'The gateway has no key for this provider; the operator has to look at its key files.'],
  method: [405, 'The policy lets only requests pass that it can read: use POST here.'],
  'not-json': [415, 'The policy lets only requests pass that it can read: send the body as application/json.'],
  'encoded-body': [
    415,
    'The policy lets only requests pass that it can read: this content-encoding or charset cannot be decoded. Send UTF-8 in gzip, deflate, br, zstd or none.',
  ],
  upgrade: [403, 'The policy lets only requests pass that it can read: WebSockets are not allowed here.'],
  'too-large': [413, 'The policy lets only requests pass that it can read: this body is larger than the gateway reads.'],
  'no-body': [400, 'The policy lets only requests pass that it can read: this one has no body.'],
  'invalid-json': [400, 'The policy lets only requests pass that it can read: the body is not valid JSON in UTF-8.'],
  'too-deep': [400, 'The policy lets only requests pass that it can read: the body is nested too deeply.'],
  'no-model': [400, 'The policy lets only requests pass that it can read: the body names no model.'],
  'model-unreadable': [400, 'The policy lets only requests pass that it can read: the model is not a name.'],
  unread: [413, 'The policy lets only requests pass that it can read: this body holds more text than is read, or text as token numbers.'],
  unmasked: [403, 'The policy masks some data, and this request holds it where it cannot be masked.'],
  'not-rewritable': [403, 'The policy lets only requests pass that it can decide.'],
  'route-off': [403, 'The policy lets only requests pass that it can decide.'],
  'policy-off': [503, 'The routing policy cannot be applied right now.'],
  draining: [503, 'The routing policy cannot be applied right now.'],
  overload: [503, 'The gateway is overloaded, and the policy lets no request pass undecided. Try again later.'],
  memory: [503, 'The gateway has no memory for another large request right now. Try again later.'],
  'internal-error': [503, 'The routing policy cannot be applied right now.'],
};

/** For a request whose API is unknown. */
export const unknownApi: ApiName = 'other-llm';

/** The API whose error format the app gets. */
export function errorApi(recognition: Recognition, family: DialectFamily): ApiName {
  return recognition.kind === 'readable' ? recognition.api : dialects[family].errorApi;
}

/** The answer to a request that is refused for `reason`; `id`: of its record, null if it has none; `own`: the policy's message. */
export function refusal(reason: PassReason, api: ApiName, id: string | null, own?: string): BodyPlan & { readonly kind: 'respond' } {
  const [status, general] = refusals[reason];
  const message = own ?? general;
  const rendered = renderError(api, {
    status,
    message,
    code: own === undefined ? `unreadable_${reason.replaceAll('-', '_')}` : 'blocked_by_policy',
  });
  return {
    kind: 'respond',
    status,
    contentType: rendered.contentType,
    headers: [
      ...(id === null ? [] : [['x-sluice-decision', id] as const]),
      ['x-sluice-reason', reason],
      ...(status === 503 ? [['retry-after', '1'] as const] : []),
    ],
    body: rendered.body,
    details: 'sluice_fail_closed',
    metadata: { ...(id === null ? {} : { id }), reason },
  };
}

/** The answer to an observed call whose caller has used up a budget or limit; `id`: of its record. */
export function spentRefusal(
  { kind, message, retryAfterSeconds, readings, now }: SpentLimit,
  api: ApiName,
  id: string,
): BodyPlan & { readonly kind: 'respond' } {
  const rendered = renderError(api, { status: 429, message, code: kind === 'limit' ? 'rate_limit_exceeded' : 'insufficient_quota' });
  return {
    kind: 'respond',
    status: 429,
    contentType: rendered.contentType,
    headers: [
      ['x-sluice-decision', id],
      ['x-sluice-reason', kind === 'limit' ? 'over-limit' : 'over-budget'],
      ['retry-after', String(retryAfterSeconds)],
      ...limitHeaders(api, readings, now),
    ],
    body: rendered.body,
    details: kind === 'limit' ? 'sluice_over_limit' : 'sluice_over_budget',
    metadata: { id, reason: kind === 'limit' ? 'over-limit' : 'over-budget' },
  };
}
