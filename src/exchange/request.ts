import { compareModels, compares, rememberModels, type Compared } from './compare-models.ts';
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Admission, Budgets } from '../budgets/budgets.ts';
import type { LimitRefusal } from '../budgets/rate-types.ts';
import { userHash } from '../budgets/user.ts';
import type { CacheHit } from '../cache/cache.ts';
import { idDigits } from '../cache/types.ts';
import { textFeatures, type TextFeatures } from '../classify/features.ts';
import { classifyRequest, withSaidTask } from '../classify/index.ts';
import type { LiveModel } from '../router/model/live.ts';
import { judge, type LearnedVerdict } from '../router/model/verdict.ts';
import type { Inspection } from '../apis/inspect/patterns.ts';
import { limitHeaders, renderError, rewritePath, shapeEdits, spliceRequest } from '../apis/index.ts';
import { adaptedLimit, type LearntRefusals } from '../apis/parameters.ts';
import type { Verdict } from '../classify/types.ts';
import type { DialectFamily, Exchange, PassReason, Recognition } from '../apis/types.ts';
import { clusterHeader, clusterName } from '../attach/names.ts';
import type { ChainStyle } from '../attach/versions.ts';
import type { OutputTokens } from '../router/output/tokens.ts';
import { templateOf } from '../router/online/template.ts';
import type { OnlineLearner, RouterView } from '../router/online/learner.ts';
import type { LearningMark } from '../router/online/types.ts';
import type { Body, BodyPlan, HeaderMap, HeaderMutation, SluiceMetadata, UsageMode } from '../extproc/types.ts';
import type { CallerContext, PolicyGeneration, PolicySection, Provider, TargetRef } from '../policy/types.ts';
import type { TraceFacts } from '../record/trace.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { Cooldowns } from '../route/cooldowns.ts';
import type { Pools } from '../route/pools.ts';
import { decide } from '../route/decide.ts';
import { expectedAnswerTokens } from '../route/estimate.ts';
import type { DecideInput, Decision, Forced } from '../route/types.ts';
import type { Shadowed } from '../experiments/trials.ts';
import type { Sessions } from '../sessions/store.ts';
import type { Shadows } from './shadows.ts';
import type { SessionView } from '../sessions/types.ts';
import { upstreamPath } from './attempt.ts';
import { crossingPath, removedNames, withoutKeys, type OwnHeaders } from './crossing-headers.ts';
import type { CacheScope } from './cached.ts';
import { asksForUsage, limitNameAt, saysUsageOnRequest } from './adapt.ts';
import { planChain, type ChainPlan } from './chain-plan.ts';
import type { ChainRun } from './chain-run.ts';
import { translatableTo } from './crossing-attempt.ts';
import type { Credentials } from './credentials.ts';
import type { Grader } from './grading.ts';
import { answerSource, logMetadata } from './logged.ts';
import type { OpenExchange } from './open.ts';

/** What the headers of a request settled, before its body came. */
export interface RequestContext {
  readonly id: string;
  readonly startedAt: number;
  readonly wallTime: number;
  readonly generation: PolicyGeneration;
  readonly provider: Provider;
  readonly section: PolicySection;
  readonly caller: CallerContext;
  readonly recognition: Recognition & { readonly kind: 'readable' };
  /** What stands before the provider's own path on the gateway (its prefix), kept when a path is rewritten. */
  readonly prefix: string;
  /** The provider's path. */
  readonly path: string;
  /** The caller keeps its model: the request is decided by what no caller can switch off, and changed by nothing else. */
  readonly routeOff: boolean;
  /** What its patterns for sensitive data found in the body; null: it has none, or the body has not come yet. */
  readonly inspection: Inspection | null;
  /** What its body's tokens stand for; null: nothing was masked. */
  readonly masked: MaskFacts | null;
  /** The body is not as it came (decoded, without its mark, masked): it goes on as it was read. */
  readonly replaced: boolean;
  /** Null while spans are off. */
  readonly trace: TraceFacts | null;
  /** Null where answers are not cached. */
  readonly cache: CacheScope | null;
  /** How Envoy is told the targets of a chain. */
  readonly chainStyle: ChainStyle;
  /** How this Envoy tells of answers. */
  readonly usage: UsageMode;
  /** Which Envoy it came through; absent: not known. */
  readonly peer?: string | undefined;
  /** Headers that are for the app's own provider and API alone, its keys among them. */
  /** All headers as they came, where the gateway's key takes the place of the app's; else null. */
  readonly headers: HeaderMap | null;
  readonly ownHeaders: Pick<OwnHeaders, 'list'>;
  /** What experiments make of it; null: nothing. */
  readonly arm: string | null;
  readonly forced: Forced | null;
  readonly shadow: Shadowed | null;
  /** The conversation's name in the headers; null: none says it, or nobody asks. */
  readonly sessionName: string | null;
}

/** What was masked in a body. */
export interface MaskFacts {
  readonly rules: NonNullable<ExchangeRecord['masked']>;
  /** Tokens that the answer gets back, and what they stand for. Never kept beyond the answer. */
  readonly restored: ReadonlyMap<string, string>;
}

/** What requests share beyond their policy. */
export interface RequestServices {
  readonly credentials: Credentials;
  readonly cooldowns: Cooldowns;
  readonly pools: Pools;
  /** See DecideInput. */
  readonly inEnvoy?: (provider: string) => boolean;
  /** The learned router; null: sections that ask for it route by tiers alone. */
  readonly router: Pick<LiveModel, 'current'> | null;
  /** Null: nothing is mirrored. */
  readonly shadows: Shadows | null;
  /** Null: conversations are not kept together. */
  readonly sessions: Sessions | null;
  /** What is learnt from grades; null: nothing. */
  readonly learner: Pick<OnlineLearner, 'assess' | 'compare' | 'remember'> | null;
  /** What is learnt of the length of answers; absent: nothing. */
  readonly outputs?: OutputTokens;
  /** Null: nothing is graded. */
  readonly grader: Grader | null;
  readonly budgets: Budgets;
  /** What models refused in this process. */
  readonly refusals?: LearntRefusals;
}

/** What the cache had to say about a request. */
export type CacheFacts = Pick<OpenExchange, 'cache' | 'cacheEntry' | 'fill'> & {
  /** An old answer that may serve if the provider fails. */
  readonly rescue?: CacheHit | null;
};

/** For a request that the cache was not asked about. */
export const uncached: CacheFacts = { cache: 'off', cacheEntry: null, fill: null };

export interface RequestResult {
  readonly plan: BodyPlan;
  /** Its record waits for the answer, or is closed at once when Sluice answers itself. */
  readonly open: OpenExchange;
}

/**
 * Classifies, decides and rewrites one request that was read. Pure but for the clock that measures its own time since
 * `enteredAt`, and for budgets, which are asked where there are any: at once in memory, else the result has to wait.
 */
export function processRequest(
  context: RequestContext,
  exchange: Exchange,
  body: Buffer,
  services: RequestServices,
  session: SessionView | null,
  cache: CacheFacts,
  enteredAt: number,
): RequestResult | Promise<RequestResult> {
  const { budgets } = services;
  const counted = context.generation.budgets.length > 0 || context.generation.rateLimits.length > 0;
  const { trace, startedAt, section } = context;
  const classifyAt = trace === null ? 0 : performance.now();
  const input = decideInput(context, exchange, body, services, session);
  const { verdict, learned } = input;
  const decideAt = trace === null ? 0 : performance.now();
  const finish = (decision: Decision, admission: Omit<Admission, 'decision'>): RequestResult => {
    try {
      const chain = planChain(context, exchange, body, decision, services, context.routeOff ? null : (cache.rescue ?? null));
      const grading = services.grader?.begin(context, exchange, body, decision) ?? null;
      const open = openExchange(
        context,
        exchange,
        'decision',
        null,
        {
          verdict,
          decision,
          ...(input.outputKey === undefined ? {} : { output: { key: input.outputKey, assumed: expectedAnswerTokens(exchange, verdict) } }),
        },
        cache,
        chain?.run ?? null,
        grading,
        admission,
        enteredAt,
        body,
      );
      trace?.steps.push(
        { name: 'classify', startMs: classifyAt - startedAt, endMs: decideAt - startedAt },
        { name: 'decide', startMs: decideAt - startedAt, endMs: performance.now() - startedAt },
      );
      if (decision.action === 'block') return { plan: blockPlan(context, decision, open, admission.refusal), open };
      const plan = rewritePlan(context, exchange, body, decision, open, services.credentials, chain);
      const mirrored = context.shadow === null ? null : (services.shadows?.begin(context, context.shadow, input, body, decision) ?? null);
      return { plan: mirrored === null ? plan : withHeader(plan, mirrored), open };
    } catch (error) {
      if (admission.reservation !== null) budgets.release(admission.reservation);
      throw error;
    }
  };
  const decision = decide(input);
  if (input.compared !== undefined && services.learner !== null)
    rememberModels(input.compared, decision, context.caller.workspace, services.learner);
  if (session !== null && section.sessions !== null) {
    services.sessions?.turn(
      session.key,
      { tier: verdict.tier, strong: learned?.acts === true && learned.says === 'strong' },
      session.state,
      section.sessions.idleMs,
    );
  }
  if (!counted) return finish(decision, noAdmission);
  const admission = budgets.admit({
    id: context.id,
    input,
    decision,
    user: userOf(context.caller, exchange),
    enforce: context.section.mode === 'enabled',
    cheaper: context.routeOff ? null : (cheaper) => decide({ ...input, cheaper }),
  });
  return admission instanceof Promise
    ? admission.then((admitted) => finish(admitted.decision, admitted))
    : finish(admission.decision, admission);
}

function withHeader(plan: BodyPlan, header: readonly [string, string]): BodyPlan {
  return plan.kind === 'forward'
    ? { ...plan, headers: { set: [...(plan.headers?.set ?? []), header], remove: plan.headers?.remove ?? [] } }
    : plan;
}

/** What a record says of a caller: what it said and what of it counted. */
export function callerFacts({ userTier, quality, task, trust }: CallerContext): NonNullable<ExchangeRecord['caller']> {
  return {
    userTier,
    quality,
    task,
    ...(trust?.identity == null ? {} : { identity: trust.identity }),
    ...(trust?.rule == null ? {} : { trusted: trust.rule }),
    ...(trust === undefined || trust.ignored.length === 0 ? {} : { ignored: trust.ignored }),
  };
}

/** Who it is for: as a header says, which the gateway's own side may have set, else as the app's body does. */
function userOf(caller: CallerContext, exchange: Exchange): string | null {
  return caller.user ?? (exchange.user === null || caller.trust?.believesBody('user') === false ? null : userHash(exchange.user));
}

/** Of a request that no budget is about. */
export const noAdmission: Omit<Admission, 'decision'> = { facts: [], limits: [], reservation: null, refusal: null };

function decideInput(
  context: RequestContext,
  exchange: Exchange,
  body: Buffer,
  { credentials, cooldowns, budgets, router, learner, outputs, inEnvoy, pools, refusals }: RequestServices,
  session: SessionView | null,
): DecideInput & { readonly verdict: Verdict; readonly compared?: Compared } {
  const { generation, provider, section, caller } = context;
  const asked =
    section.learned !== null && router !== null && exchange.operation === 'generate' && section.learned.strong.has(exchange.model);
  const overBudget =
    generation.budgets.length === 0
      ? null
      : budgets.overBudget(generation, {
          workspace: caller.workspace,
          user: userOf(caller, exchange),
          ...(caller.trust === undefined ? {} : { trust: caller.trust }),
        });
  const overLimit =
    generation.rateLimits.length === 0
      ? null
      : budgets.overLimit(generation, {
          workspace: caller.workspace,
          user: userOf(caller, exchange),
          ...(caller.trust === undefined ? {} : { trust: caller.trust }),
        });
  const verdict = withSaidTask(classifyRequest(exchange, section.classifier), caller.task);
  const several = compares(section, exchange);
  const features = asked || several || section.learning !== null ? textFeatures(exchange.lastUser) : null;
  const learned = asked ? judge(router.current(), exchange, features!, section.learned.weak.model, section.learned) : null;
  const output = outputsOf(exchange, verdict.classifiedTask ?? verdict.task, outputs);
  const compared = several
    ? compareModels(context, exchange, {
        verdict,
        features: features!,
        template: output.outputKey?.template ?? templateOf(exchange, verdict.task),
        learner,
      })
    : null;
  const learning = learn(context, exchange, { features, kind: verdict.task }, learned, learner);
  return {
    exchange,
    verdict,
    session,
    forced: context.forced,
    learned,
    ...(compared === null ? {} : { models: compared.verdict, compared }),
    ...output,
    learning: compared === null || learning === null ? learning : withModels(learning, compared),
    caller,
    provider,
    section,
    keepModel: context.routeOff,
    ...(context.inspection === null ? {} : { sensitive: context.inspection.matched }),
    generation,
    hasCredential: (name) => credentials.has(name, section),
    // Where chains are endpoints of one cluster, no filter of a provider's own can sign.
    inEnvoy:
      context.chainStyle === 'hosts' && anySigned(generation)
        ? (name) => generation.providers.get(name)?.signing === null && inEnvoy?.(name) !== false
        : inEnvoy,
    pools,
    ...(refusals === undefined ? {} : { refusals: (name, model) => refusals.of(name, model) }),
    cooling: (target) => cooldowns.cooling(target, target.provider === provider.name),
    canTranslate: translatableFrom(context, exchange, body),
    ...(overBudget === null ? {} : { overBudget }),
    ...(overLimit === null ? {} : { overLimit }),
  };
}

/** What was expected of each, so that a grade of the answer can be learnt from. Drawn by lot, it is the first to be graded. */
function withModels(learning: LearningMark, { verdict, request: { known, candidates }, requested }: Compared): LearningMark {
  return {
    ...learning,
    models: { requested, known, candidates },
    ...(verdict.probe === null || learning.why === 'upgrade' ? {} : { why: 'probe' }),
  };
}

/** How long answers of each target are, by the request's template; nothing where that is not learnt. */
function outputsOf(exchange: Exchange, kind: string, outputs: OutputTokens | undefined): Pick<DecideInput, 'outputTokens' | 'outputKey'> {
  if (outputs === undefined || exchange.operation !== 'generate') return {};
  const outputKey = { template: templateOf(exchange, kind), kind, units: exchange.lastUser.length };
  return { outputKey, outputTokens: ({ provider, model }, assumed) => outputs.expected(`${provider}/${model}`, outputKey, assumed) };
}

function anySigned({ providers }: PolicyGeneration): boolean {
  for (const { signing } of providers.values()) if (signing !== null) return true;
  return false;
}

/** What grades say of the request's template; null where nothing is learnt from them. */
function learn(
  { section, caller, provider, wallTime }: RequestContext,
  exchange: Exchange,
  { features, kind }: { readonly features: TextFeatures | null; readonly kind: string },
  learned: LearnedVerdict | null,
  learner: RequestServices['learner'],
): LearningMark | null {
  if (section.learning === null || learner === null || features === null || exchange.operation !== 'generate') return null;
  let view: RouterView | null = null;
  if (learned !== null && section.learned !== null) {
    const { weak } = section.learned;
    view = {
      pair: { weak: `${weak.provider}/${weak.model}`, strong: `${provider.name}/${exchange.model}` },
      gain: learned.gain,
      uncertainty: learned.uncertainty,
      maxLoss: learned.maxLoss,
      known: learned.abstained === null,
      fixed: learned.acts && learned.says === 'weak',
      calibrated: learned.calibration !== null,
    };
  }
  return learner.assess(caller.workspace, exchange, { tokens: features.tokens, kind }, view, section.learning, wallTime);
}

/** Asked once per target that a chain could cross to: what an API takes depends on the model. */
function translatableFrom(
  { section: { fallback }, generation: { providers }, chainStyle }: RequestContext,
  exchange: Exchange,
  body: Buffer,
): (target: TargetRef, family: DialectFamily) => boolean {
  const known = new Map<string, boolean>();
  return ({ provider, model }, family) => {
    const key = `${provider}/${model}`;
    let can = known.get(key);
    if (can === undefined)
      known.set(
        key,
        (can =
          chainStyle !== 'none' &&
          translatableTo(exchange, body, family, model, fallback?.drop ?? [], providers.get(provider)?.catalogProvider)),
      );
    return can;
  };
}

/** Answers that Sluice reads come uncompressed: decoding every stream would cost more than the bytes it saves. */
const readableAnswer: HeaderMutation = { set: [['accept-encoding', 'identity']], remove: [] };

function rewritePlan(
  context: RequestContext,
  exchange: Exchange,
  body: Buffer,
  decision: Decision,
  open: OpenExchange,
  credentials: Credentials,
  chain: ChainPlan | null,
): BodyPlan {
  const { generation } = context;
  // An attempt that makes its own request of it finds it as the app sent it.
  const routes = decision.action === 'route' && chain?.firstIsReady !== false;
  const changesModel = routes && decision.served.model !== decision.requested.model;
  const askUsage = asksForUsage(context, exchange);
  const set: (readonly [string, string])[] = [...readableAnswer.set];
  const limitName = routes ? limitNameAt(generation, decision.served, exchange) : null;
  const remove: string[] = context.replaced ? ['content-encoding'] : [];
  if (context.replaced) set.push(['content-type', 'application/json']);
  let path = context.path;
  let newBody: Body = body;
  if (exchange.pathModel !== null) {
    if (changesModel) path = rewritePath(path, exchange, decision.served.model);
  }
  const shaped = context.section.mode === 'enabled' ? (decision.shape?.changes ?? []) : [];
  if ((changesModel && exchange.pathModel === null) || askUsage || limitName !== null || shaped.length > 0) {
    newBody = spliceRequest(body, exchange, {
      ...(changesModel && exchange.pathModel === null ? { model: decision.served.model } : {}),
      ...(limitName === null ? {} : { limitName }),
      askUsage,
      ...(shaped.length === 0 ? {} : { edits: shapeEdits(body, exchange.api, shaped) }),
    });
  }
  let prefix = context.prefix;
  let servedBy = context.provider;
  if (routes && decision.served.provider !== context.provider.name) {
    const target = generation.providers.get(decision.served.provider);
    const keys = target === undefined ? null : credentials.swap(target, context.section);
    // decide() chose this provider because its key was there; without one the app's key would leave for a stranger.
    if (target === undefined || keys === null) throw new Error(`no credential for ${decision.served.provider}`);
    prefix = target.pathPrefix ?? '';
    servedBy = target;
    set.push(...keys.set);
    if (chain === null) set.push([clusterHeader, clusterName(target.name)]);
    remove.push(...removedNames(context.ownHeaders.list, keys.remove, keys.set));
    path = crossingPath(path);
    open.keyFile = keys.file;
  } else if (context.section.credentials === 'gateway' && context.section.mode === 'enabled') {
    const keys = credentials.swap(context.provider, context.section);
    // It was there when the headers came; what the app sent must not leave in its place.
    if (keys === null) throw new Error(`no credential for ${context.provider.name}`);
    set.push(...keys.set);
    remove.push(...removedNames(context.ownHeaders.list, keys.remove, keys.set));
    path = withoutKeys(path);
    open.keyFile = keys.file;
  }
  if (chain !== null) chain.run.keyFile = open.keyFile;
  if (chain !== null) set.push(...chain.headers);
  // The chains' route rewrites no path: it does not know whose turn it is.
  const gatewayPath = chain === null ? prefix + path : upstreamPath(servedBy, path);
  if (gatewayPath !== context.prefix + context.path) set.push([':path', gatewayPath]);
  return {
    kind: 'forward',
    ...(newBody === body && !context.replaced ? {} : { body: newBody }),
    headers: { set, remove },
    // Envoy chose its route before the path or the cluster header changed.
    ...(set.length > readableAnswer.set.length ? { clearRouteCache: true } : {}),
    metadata: chain === null ? metadataOf(open) : { ...metadataOf(open), ...chain.metadata },
  };
}

function blockPlan(context: RequestContext, decision: Decision, open: OpenExchange, refusal: LimitRefusal | null): BodyPlan {
  const block: NonNullable<Decision['block']> = decision.block ?? { status: 403, message: 'This request is not allowed by policy.' };
  const { retryAfterSeconds } = block;
  const code = refusal !== null ? 'rate_limit_exceeded' : retryAfterSeconds === undefined ? 'blocked_by_policy' : 'insufficient_quota';
  // OpenAI's type says what ran out.
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

/** Longest wait that is worth it for an app's request, in seconds; the official SDKs draw the line there, too. */
const worthWaiting = 60;

/** When to come back. The official SDKs of OpenAI and Anthropic would otherwise try again after a second of their own choice. */
function retryHeaders(seconds: number, useful: boolean): (readonly [string, string])[] {
  return [['retry-after', String(seconds)], ...(seconds > worthWaiting || !useful ? [['x-should-retry', 'false'] as const] : [])];
}

/** Spans say what the app calls its conversation; a key that Sluice made of its words is no name. */
function nameConversation({ trace, sessionName, caller }: RequestContext, { session }: Exchange): void {
  if (trace?.sampled !== true) return;
  const name = sessionName ?? (caller.trust?.believesBody('session') === false ? null : session);
  if (name !== null) trace.conversation = name;
}

/** The facts of an exchange, as its record will hold them. `body`: of a request that goes on to a provider. */
export function openExchange(
  context: RequestContext,
  exchange: Exchange,
  kind: ExchangeRecord['kind'],
  passReason: PassReason | null,
  decided: { readonly verdict: OpenExchange['verdict']; readonly decision: Decision; readonly output?: OpenExchange['output'] } | null,
  cache: CacheFacts,
  chain: ChainRun | null,
  grading: OpenExchange['grading'],
  admission: Pick<Admission, 'facts' | 'limits' | 'reservation'>,
  enteredAt: number,
  body: Buffer | null = null,
): OpenExchange {
  const { fill } = cache;
  nameConversation(context, exchange);
  return {
    kind,
    id: context.id,
    startedAt: context.startedAt,
    wallTime: context.wallTime,
    generation: context.generation,
    workspace: context.caller.workspace,
    user: userOf(context.caller, exchange),
    requestId: context.caller.requestId ?? null,
    traceId: context.caller.traceId ?? null,
    caller: callerFacts(context.caller),
    budgets: admission.facts,
    ...(admission.limits.length === 0 ? {} : { limits: admission.limits }),
    reservation: admission.reservation,
    peer: context.peer,
    provider: context.provider.name,
    api: exchange.api,
    operation: exchange.operation,
    stream: exchange.stream,
    passReason,
    requestedModel: exchange.model,
    verdict: decided?.verdict ?? null,
    decision: decided?.decision ?? null,
    output: decided?.output ?? null,
    section: context.section.name,
    mode: context.section.mode,
    request: {
      bytes: exchange.bodyBytes,
      estimatedTokens: exchange.promptTokens,
      messages: exchange.messages,
      tools: exchange.tools,
      images: exchange.images,
      ...(holdsSensitive(context) ? { promptHash: null, promptStart: null } : capture(exchange, context.section)),
      asks: {
        userTurns: exchange.userTurns,
        userUnits: exchange.lastUser.length,
        maxOutputTokens: exchange.maxOutputTokens,
        answers: exchange.n,
        jsonOutput: exchange.jsonOutput,
        audioInputs: exchange.audioInputs,
        audioOutput: exchange.audioOutput,
        files: exchange.files,
        reasoning: exchange.reasoning,
        ...(exchange.parameters.length === 0 ? {} : { parameters: exchange.parameters.map(({ name, value }) => [name, value] as const) }),
      },
    },
    keyFile: null,
    arm: context.arm,
    adapted: adaptedBy(context.generation, exchange, decided?.decision ?? null),
    cache: cache.cache,
    cacheEntry: cache.cacheEntry,
    ...(context.masked === null ? {} : { masked: context.masked.rules }),
    trace: context.trace,
    fill,
    chain,
    grading,
    answerBy: body === null ? 'copies' : answerSource(context.usage, { api: exchange.api, fill, grading }, exchange, body),
    sessionIdleMs: decided?.decision.session === undefined ? null : (context.section.sessions?.idleMs ?? null),
    usageNotAsked: saysUsageOnRequest(exchange) && exchange.includeUsage !== true && !asksForUsage(context, exchange),
    overheadMs: performance.now() - enteredAt,
  };
}

const unadapted: readonly string[] = [];

/** What the rewrite for the chosen target wrote in that model's own words. */
function adaptedBy(generation: PolicyGeneration, exchange: Exchange, decision: Decision | null): readonly string[] {
  if (decision?.action !== 'route') return unadapted;
  const name = limitNameAt(generation, decision.served, exchange);
  return name === null ? unadapted : [adaptedLimit(name)];
}

/** Nothing is kept of a text in which a pattern for sensitive data was found. */
export function holdsSensitive({ inspection }: Pick<RequestContext, 'inspection'>): boolean {
  return inspection?.matched.includes(true) === true;
}

/** Whether a pattern was found whose rule does more than mask. */
export function decidesSensitive({ inspection, section }: Pick<RequestContext, 'inspection' | 'section'>): boolean {
  return inspection?.matched.some((found, at) => found && section.masks?.[at] == null) === true;
}

/** Whether the first of such rules refuses the request. */
export function blocksSensitive({ inspection, section }: Pick<RequestContext, 'inspection' | 'section'>): boolean {
  return section.sensitivity.find(({ then }, at) => then.kind !== 'mask' && inspection?.matched[at] === true)?.then.kind === 'block';
}

function capture(exchange: Exchange, section: PolicySection): Pick<ExchangeRecord['request'], 'promptHash' | 'promptStart'> {
  switch (section.promptCapture.kind) {
    case 'none':
      return { promptHash: null, promptStart: null };
    case 'hash':
      return { promptHash: hash(exchange.lastUser), promptStart: null };
    case 'truncate':
      // Copied through a Buffer so that a short start does not keep the whole text alive.
      return {
        promptHash: hash(exchange.lastUser),
        promptStart: Buffer.from(exchange.lastUser.slice(0, section.promptCapture.units)).toString(),
      };
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** What Envoy keeps for the response headers, the access log, and the second filter. */
/** The metadata of a request that Sluice refuses: no model was called, so none is named. */
export function refusedMetadata(open: OpenExchange): SluiceMetadata {
  return Object.fromEntries(Object.entries(metadataOf(open)).filter(([name]) => name !== 'model'));
}

export function metadataOf(open: OpenExchange): SluiceMetadata {
  const { decision } = open;
  const metadata: Record<string, string> = { id: open.id, reason: decision?.reason ?? open.passReason ?? '' };
  if (open.requestedModel !== null) {
    metadata['requested_model'] = open.requestedModel;
    metadata['model'] = decision?.served.model ?? open.requestedModel;
  }
  if (open.fill !== null) metadata['cache_entry'] = open.fill.request.key.slice(0, idDigits);
  if (open.cache !== 'off') metadata['cache'] = open.cache;
  Object.assign(metadata, logMetadata(open));
  if (decision !== null) {
    metadata['tier'] = decision.tier;
    if (open.arm !== null) metadata['arm'] = open.arm;
    metadata['attempts'] = '1';
  }
  return metadata;
}
