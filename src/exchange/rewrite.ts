import { limitHeaders, renderError, rewritePath, shapeEdits, spliceRequest } from '../apis/index.ts';
import { clusterHeader, clusterName } from '../attach/names.ts';
import type { LimitRefusal } from '../budgets/rate-types.ts';
import type { Body } from '../lib/headers.ts';
import type { Provider } from '../policy/types.ts';
import type { Decision } from '../route/types.ts';
import { asksForUsage, limitNameAt } from './adapt.ts';
import { upstreamPath } from './chain/attempt.ts';
import type { ChainPlan } from './chain/plan.ts';
import type { ReadRequest, RequestContext } from './context.ts';
import type { Credentials, OwnKey } from './credentials.ts';
import { crossingPath, removedNames, withoutKeys } from './crossing-headers.ts';
import type { OpenExchange } from './open.ts';
import { metadataOf, refusedMetadata } from './opening.ts';
import type { BodyPlan } from './plans.ts';

/** Sluice asks for uncompressed answers if it reads them: decoding every stream would cost more than the bytes saved. */
const readable = ['accept-encoding', 'identity'] as const;

/** The request for the chosen target, or for the first of a chain. Stores the file of the key it carries in `open`. */
export function rewritePlan(
  request: ReadRequest,
  decision: Decision,
  open: OpenExchange,
  chain: ChainPlan | null,
  credentials: Credentials,
): BodyPlan {
  const { context, exchange, body } = request;
  // An attempt that builds its own request needs the request as the app sent it.
  const routes = decision.action === 'route' && chain?.firstIsReady !== false;
  const changesModel = routes && decision.served.model !== decision.requested.model;
  const named = changesModel && exchange.pathModel !== null ? rewritePath(context.path, exchange, decision.served.model) : context.path;
  const newBody = bodyFor(request, decision, routes);
  const set: (readonly [string, string])[] = [readable];
  const remove: string[] = context.replaced ? ['content-encoding'] : [];
  if (context.replaced) set.push(['content-type', 'application/json']);
  const to = routes ? strangerOf(context, decision) : null;
  const key = keyFor(context, to, credentials);
  if (key !== null) {
    set.push(...key.set);
    if (to !== null && chain === null) set.push([clusterHeader, clusterName(to.name)]);
    remove.push(...removedNames(context.ownHeaders.list, key.remove, key.set));
    open.keyFile = key.file;
  }
  if (chain !== null) {
    chain.run.keyFile = open.keyFile;
    set.push(...chain.headers);
  }
  const path = to !== null ? crossingPath(named) : key !== null ? withoutKeys(named) : named;
  // The chains' route does not rewrite paths: it does not know the current target.
  const gatewayPath =
    chain === null ? (to === null ? context.prefix : (to.pathPrefix ?? '')) + path : upstreamPath(to ?? context.provider, path);
  if (gatewayPath !== context.prefix + context.path) set.push([':path', gatewayPath]);
  return {
    kind: 'forward',
    body: newBody === body && !context.replaced ? undefined : newBody,
    headers: { set, remove },
    // Envoy must choose the route again: the path or the cluster header has changed.
    clearRouteCache: set.length > 1 ? true : undefined,
    metadata: chain === null ? metadataOf(open) : { ...metadataOf(open), ...chain.metadata },
  };
}

/** The body with the changes for the target: model name, name of the output limit, and what the policy adds or caps. */
function bodyFor({ context, exchange, body }: ReadRequest, decision: Decision, routes: boolean): Body {
  const changesModel = routes && decision.served.model !== decision.requested.model && exchange.pathModel === null;
  const askUsage = asksForUsage(context, exchange);
  const limitName = routes ? limitNameAt(context.generation, decision.served, exchange) : null;
  const shaped = context.section.mode === 'enabled' ? (decision.shape?.changes ?? unshaped) : unshaped;
  if (!changesModel && !askUsage && limitName === null && shaped.length === 0) return body;
  return spliceRequest(body, exchange, {
    ...(changesModel ? { model: decision.served.model } : {}),
    ...(limitName === null ? {} : { limitName }),
    askUsage,
    ...(shaped.length === 0 ? {} : { edits: shapeEdits(body, exchange.api, shaped) }),
  });
}

const unshaped: readonly never[] = [];

/** The provider that answers in place of the app's own; null if it is the app's own. */
function strangerOf({ generation, provider }: RequestContext, { served }: Decision): Provider | null {
  if (served.provider === provider.name) return null;
  const target = generation.providers.get(served.provider);
  if (target === undefined) throw new Error(`no provider ${served.provider}`);
  return target;
}

/** The gateway key that the request carries; null if it carries the app's key. */
function keyFor({ section, provider }: RequestContext, to: Provider | null, credentials: Credentials): OwnKey | null {
  if (to === null && (section.credentials !== 'gateway' || section.mode !== 'enabled')) return null;
  const key = credentials.swap(to ?? provider, section);
  // The key existed when the headers came and when decide() chose. Without it, the app's key (or what the app sent in its place) would be
  // sent to another provider.
  if (key === null) throw new Error(`no credential for ${(to ?? provider).name}`);
  return key;
}

/** The answer to a request that the policy refuses. */
export function blockPlan(context: RequestContext, decision: Decision, open: OpenExchange, refusal: LimitRefusal | null): BodyPlan {
  const block: NonNullable<Decision['block']> = decision.block ?? { status: 403, message: 'This request is not allowed by policy.' };
  const { retryAfterSeconds } = block;
  const code = refusal !== null ? 'rate_limit_exceeded' : retryAfterSeconds === undefined ? 'blocked_by_policy' : 'insufficient_quota';
  // OpenAI's error type says which limit was reached.
  const type = refusal === null ? {} : { type: refusal.kind === 'tokens' ? 'tokens' : 'requests' };
  const rendered = renderError(context.recognition.api, { ...block, code, ...type });
  return {
    kind: 'respond',
    status: block.status,
    contentType: rendered.contentType,
    headers: [
      ['x-sluice-decision', open.id],
      ['x-sluice-reason', decision.reason],
      ['x-sluice-tier', decision.tier],
      ['x-sluice-requested-model', decision.requested.model],
      ...(retryAfterSeconds === undefined ? [] : retryHeaders(retryAfterSeconds, refusal?.mayRetry !== false)),
      ...(refusal === null ? [] : limitHeaders(context.recognition.api, refusal.readings, refusal.now)),
    ],
    body: rendered.body,
    details: refusal !== null ? 'sluice_over_limit' : retryAfterSeconds === undefined ? 'sluice_blocked_by_policy' : 'sluice_over_budget',
    metadata: refusedMetadata(open),
  };
}

/** Longest retry wait that is useful for an app's request, in seconds; the official SDKs use the same limit. */
const worthWaiting = 60;

/** When to retry. Otherwise the official SDKs of OpenAI and Anthropic would choose their own delay of about a second. */
function retryHeaders(seconds: number, useful: boolean): (readonly [string, string])[] {
  return [['retry-after', String(seconds)], ...(seconds > worthWaiting || !useful ? [['x-should-retry', 'false'] as const] : [])];
}
