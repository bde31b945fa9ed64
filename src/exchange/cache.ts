import { performance } from 'node:perf_hooks';
import { searchesByItself } from '../apis/common/models.ts';
import type { CacheHit, CacheQuery } from '../cache/cache.ts';
import { readControls } from '../cache/controls.ts';
import { cacheKey, nearKey, partitionOf, type KeyInput } from '../cache/key.ts';
import { canonicalQuestion } from '../cache/semantic/canonical.ts';
import { idDigits } from '../cache/types.ts';
import { type WantedForm } from '../apis/answer-forms.ts';
import { renderError } from '../apis/index.ts';
import { apis } from '../apis/registry.ts';
import { toldJson } from '../apis/told-json.ts';
import type { ApiName, BodyMember, ParsedRequest } from '../apis/types.ts';
import type { BodyPlan } from './plans.ts';
import type { HeaderMap } from '../lib/headers.ts';
import type { PolicySnapshot, PolicySection } from '../policy/types.ts';
import type { AnswerEnding } from '../record/record.ts';
import type { CacheEntryFacts } from '../record/types.ts';
import type { Claims } from './claims.ts';
import { costHeader } from './chain/told.ts';
import type { CacheScope, ReadRequest, RequestContext } from './context.ts';
import { noAdmission, type OpenExchange } from './open.ts';
import { metadataOf, openExchange, refusedMetadata } from './opening.ts';

/** Null if the policy has no cache for this request. `workspace`: the one the policy trusts. */
export function cacheScope(
  headers: HeaderMap,
  { workspaceHeaders, callers }: PolicySnapshot,
  section: PolicySection,
  path: string,
  { claims, workspace }: { readonly claims: Claims; readonly workspace: string },
): CacheScope | null {
  if (!section.cache.enabled || section.mode !== 'enabled') return null;
  const partition = partitionOf(headers, workspaceHeaders, section.cache, path);
  const controls = readControls({
    get: (name) =>
      name === 'x-sluice-cache' ? claims.said('cache', cacheHeaders) : claims.believes('cache') ? headers.get(name) : undefined,
  });
  // A caller that claims another caller's workspace does not share its answers.
  return { partition: callers === null ? partition : JSON.stringify([partition, workspace]), controls };
}

const cacheHeaders = ['x-sluice-cache'];

/** Body members that make the answer depend on state at the provider. */
const statefulMembers: ReadonlySet<string> = new Set([
  'conversation',
  'background',
  'container',
  'cachedContent',
  'cached_content',
  'previous_response_id',
  'mcp_servers',
  'web_search_options',
  // The same at other providers: xAI, OpenRouter, Groq, DashScope, Azure.
  'search_parameters',
  'plugins',
  'compound_custom',
  'enable_search',
  'data_sources',
]);

/** Provider-defined tools that the app runs itself: the answer only calls them. */
const appTools = /^tools\.(?:custom$|function|bash_|text_editor_|memory_|computer|local_shell$|shell$|apply_patch$)/;

/** Where the provider runs what would be the app's tools. */
const elsewhere = /^tool_environments\./;

function isForeignTool(name: string): boolean {
  return name.startsWith('tools.') && !appTools.test(name);
}

/** Whether the provider does more than answer: it searches, runs code, or acts on other systems. */
function actsElsewhere({ api, model, parameters }: ParsedRequest, members: readonly BodyMember[], body: Buffer): boolean {
  if (parameters.some(({ name }) => name === 'input.item_reference' || elsewhere.test(name) || isForeignTool(name))) return true;
  return searchesByItself(model) || apis[api].request.tied?.(members, body) === true;
}

/** The cache query; null if the answer to this request must not be shared. */
export function cacheQuery(request: ReadRequest, scope: CacheScope, members: readonly BodyMember[]): CacheQuery | null {
  const { context, exchange, body } = request;
  const { section, caller } = context;
  const settings = section.cache;
  if (exchange.operation === 'other' || exchange.n > settings.maxN || exchange.audioOutput) return null;
  if (exchange.temperature !== null && exchange.temperature > settings.maxTemperature) return null;
  if (settings.external === 'bypass' && (members.some(({ key }) => statefulMembers.has(key)) || actsElsewhere(exchange, members, body)))
    return null;
  return {
    key: cacheKey(keyInput(request, scope, members)),
    api: exchange.api,
    operation: exchange.operation,
    settings,
    workspace: caller.workspace,
    requestedModel: exchange.model,
    tags: scope.controls.tags,
    controls: scope.controls,
    wanted: wantedForm(exchange, context.path),
  };
}

/** The input of the cache keys of a request. */
export function keyInput({ context, exchange, body }: ReadRequest, scope: CacheScope, members: readonly BodyMember[]): KeyInput {
  const { section, caller, generation, provider } = context;
  return {
    exchange,
    body,
    members,
    path: context.path,
    provider: provider.name,
    // Arms do not share answers: a control that gets the treatment's answer is not a comparison.
    policy: context.arm === null ? generation.hash : `${generation.hash} ${context.arm}`,
    section: section.name,
    caller,
    bySession: section.cache.bySession,
    routeOff: context.routeOff,
    partition: scope.partition,
  };
}

/** Computes the semantic cache key of the request; null if the policy has no semantic cache or the request is not a question. */
export function nearOf(request: ReadRequest, scope: CacheScope, members: readonly BodyMember[]): (() => string | null) | null {
  const { context, exchange } = request;
  const { semantic } = context.section.cache;
  // Completions and embeddings are matched exactly, never semantically.
  if (semantic === null || exchange.question === null || exchange.operation !== 'generate' || !apis[exchange.api].request.asks) return null;
  return () => nearKey(keyInput(request, scope, members), canonicalQuestion(exchange.lastUser, semantic));
}

function wantedForm({ api, stream, includeUsage }: ParsedRequest, path: string): WantedForm {
  if (!stream) return { form: 'json', includeUsage: true };
  const array = apis[api].answer.arrayStreams && !/[?&]alt=sse(?:&|$)/.test(path);
  return { form: array ? 'array' : 'sse', includeUsage: includeUsage === true };
}

/** A request that Sluice answers itself: the plan and the ending of its record. */
export interface OwnAnswer {
  readonly plan: BodyPlan;
  readonly open: OpenExchange;
  readonly ending: AnswerEnding;
}

/** Fields of a request that was not decided. */
const undecided = {
  kind: 'cached',
  verdict: null,
  decision: null,
  template: null,
  chain: null,
  grading: null,
  admission: noAdmission,
} as const;

/** The cache facts for the record; `ms`: duration of this request. */
export function factsOf({ entry, age }: CacheHit, ms: number): CacheEntryFacts {
  return {
    id: entry.key.slice(0, idDigits),
    ageSeconds: age,
    target: { provider: entry.provider, model: entry.model },
    tier: entry.tier,
    savedMs: entry.tookMs === null ? null : Math.max(0, entry.tookMs - ms),
  };
}

/** The answer from the cache, in the form that the caller asked for. */
export function hitAnswer(request: ReadRequest, hit: CacheHit, enteredAt: number): OwnAnswer {
  const { context, exchange } = request;
  const { entry, age, state, rendered } = hit;
  const entryFacts = factsOf(hit, performance.now() - context.startedAt);
  const open = openExchange(request, { ...undecided, cache: { cache: state, cacheEntry: entryFacts, fill: null }, enteredAt });
  return {
    open,
    plan: {
      kind: 'respond',
      status: 200,
      contentType: rendered.contentType,
      headers: [
        ['x-sluice-decision', open.id],
        ['x-sluice-model', entry.model],
        ['x-sluice-requested-model', exchange.model],
        ...(entry.tier === null ? [] : [['x-sluice-tier', entry.tier] as const]),
        ['x-sluice-reason', 'cache'],
        ['x-sluice-cache', state === 'coalesced' ? 'hit' : state],
        ['x-sluice-cache-entry', entryFacts.id],
        ['age', String(age)],
        ...(context.section.inAnswer?.cost === true ? [[costHeader, '0'] as const] : []),
        ...requestIdOf(exchange.api, open.id),
      ],
      body: toldBody(context, rendered, open.id),
      details: 'sluice_cache_hit',
      metadata: metadataOf(open),
    },
    ending: {
      outcome: 'complete',
      status: 200,
      answer: {
        usage: entry.usage,
        usageUnknown: entry.usage === null ? 'not-sent' : null,
        model: null,
        finishReason: entry.finishReason,
        complete: true,
        errorType: null,
      },
      firstByteMs: null,
      firstTokenMs: null,
      totalMs: performance.now() - context.startedAt,
    },
  };
}

/** A cached answer names this request's decision, not that of the request that filled the cache. */
function toldBody({ section }: RequestContext, { body, contentType }: CacheHit['rendered'], id: string): Buffer {
  if (section.inAnswer?.decision !== true) return body;
  return contentType.startsWith('text/event-stream')
    ? Buffer.concat([Buffer.from(`: sluice-decision ${id}\n\n`), body])
    : toldJson(body, id);
}

/** The response header in which the API's SDKs look for the request id. */
function requestIdOf(api: ApiName, id: string): readonly (readonly [string, string])[] {
  const { idHeader } = apis[api].answer;
  return idHeader === null ? [] : [[idHeader, id]];
}

/** 504, as HTTP defines for a caller that accepts only a cached answer. */
export function notCachedAnswer(request: ReadRequest, enteredAt: number): OwnAnswer {
  const { context, exchange } = request;
  const status = 504;
  const open = openExchange(request, { ...undecided, cache: { cache: 'miss', cacheEntry: null, fill: null }, enteredAt });
  const rendered = renderError(exchange.api, {
    status,
    code: 'not_cached',
    message: 'The cache holds no answer to this request, and only-if-cached was asked for.',
  });
  return {
    open,
    plan: {
      kind: 'respond',
      status,
      contentType: rendered.contentType,
      headers: [
        ['x-sluice-decision', open.id],
        ['x-sluice-cache', 'miss'],
      ],
      body: rendered.body,
      details: 'sluice_not_cached',
      metadata: refusedMetadata(open),
    },
    ending: {
      outcome: 'not-cached',
      status,
      answer: null,
      firstByteMs: null,
      firstTokenMs: null,
      totalMs: performance.now() - context.startedAt,
    },
  };
}
