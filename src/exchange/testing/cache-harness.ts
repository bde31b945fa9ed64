import { allAbilities } from '../../attach/abilities.ts';
import { readExchange } from '../../apis/index.ts';
import type { BodyMember } from '../../apis/types.ts';
import type { HeaderMap } from '../../lib/headers.ts';
import type { RequestContext } from '../context.ts';
import { Claims } from '../claims.ts';
import { cacheQuery, cacheScope, keyInput, nearOf } from '../cache.ts';
import type { PolicySnapshot } from '../../policy/types.ts';
import type { CacheQuery } from '../../cache/cache.ts';
import type { KeyInput } from '../../cache/key.ts';
import type { Fill, FillEnding } from '../../cache/fill.ts';

export type Pairs = readonly (readonly [string, string])[];

function headersOf(pairs: Pairs): HeaderMap {
  return { get: (name) => pairs.find(([key]) => key === name)?.[1], entries: () => pairs };
}

const paths = { 'openai-chat': '/v1/chat/completions', 'gemini-generate': '/v1beta/models/gemini-2.5-pro:generateContent' } as const;

export interface RequestOptions {
  readonly path?: string;
  readonly workspace?: string;
  readonly session?: string;
  readonly routeOff?: boolean;
}

/** The pipeline's cache query for this request; null if it would not ask the cache. */
export function queryOf(generation: PolicySnapshot, body: string, pairs: Pairs = [], options: RequestOptions = {}): CacheQuery | null {
  return cacheQuery(...argumentsOf(generation, body, pairs, options));
}

/** The semantic cache key of this request; null if the semantic cache would not be asked. */
export function nearKeyOf(generation: PolicySnapshot, body: string, pairs: Pairs = [], options: RequestOptions = {}): string | null {
  return nearOf(...argumentsOf(generation, body, pairs, options))?.() ?? null;
}

/** The input of the request's cache key. */
export function keyInputOf(generation: PolicySnapshot, body: string): KeyInput {
  return keyInput(...argumentsOf(generation, body, [], {}));
}

function argumentsOf(generation: PolicySnapshot, body: string, pairs: Pairs, options: RequestOptions): Parameters<typeof cacheQuery> {
  const headers = headersOf(pairs);
  const path = options.path ?? paths['openai-chat'];
  const gemini = path.includes(':');
  const provider = generation.providers.get(gemini ? 'google' : 'openai')!;
  const workspace = options.workspace ?? (headers.get('x-sluice-workspace') ?? 'default').slice(0, 128);
  const section = generation.section(workspace, provider.name);
  const start = path.lastIndexOf('/') + 1;
  const recognition = {
    kind: 'readable' as const,
    api: gemini ? ('gemini-generate' as const) : path.endsWith('/responses') ? ('openai-responses' as const) : ('openai-chat' as const),
    operation: 'generate' as const,
    pathModel: gemini ? { model: path.slice(start, path.indexOf(':')), span: { start, end: path.indexOf(':') } } : null,
    stream: gemini ? path.includes(':streamGenerateContent') : null,
  };
  const members: BodyMember[] = [];
  const bytes = Buffer.from(body);
  const read = readExchange(recognition, bytes, members);
  if (!read.ok) throw new Error(read.reason);
  const scope = cacheScope(headers, generation, section, path, { claims: new Claims(headers, generation.callers), workspace });
  if (scope === null) throw new Error('the policy has no cache');
  const context: RequestContext = {
    id: 'id',
    startedAt: 0,
    wallTime: 0,
    generation,
    provider,
    section,
    caller: {
      workspace,
      userTier: headers.get('x-sluice-user-tier') ?? null,
      quality: headers.get('x-sluice-quality') ?? null,
      task: null,
      user: null,
      session: options.session ?? null,
      headers: new Map(),
      now: 0,
    },
    recognition,
    prefix: '',
    path,
    inspection: null,
    masked: null,
    replaced: false,
    routeOff: options.routeOff ?? false,
    trace: null,
    cache: scope,
    envoy: allAbilities,
    usage: 'observe',
    ownHeaders: { list: [] },
    headers: null,
    arm: null,
    forced: null,
    shadow: null,
    sessionName: null,
  };
  return [{ context, exchange: read.exchange, body: bytes }, scope, members];
}

export const goodEnding: FillEnding = {
  outcome: 'complete',
  status: 200,
  finishReason: 'stop',
  usage: null,
  provider: 'openai',
  model: 'gpt-small',
  tier: 'simple',
  rule: null,
  tookMs: 800,
};

/** Plays the provider's answer to one fill. */
export function answer(fill: Fill, body: string, ending: Partial<FillEnding> = {}, contentType = 'application/json'): void {
  fill.head(ending.status ?? 200, contentType, '');
  fill.push(Buffer.from(body));
  fill.complete();
  fill.settle({ ...goodEnding, ...ending });
}
