import type { DialectFamily } from '../apis/types.ts';

/** Something of a request's head that says for whose API it was made. Without `regex` it only has to be there. */
export type Sign = { readonly header: string; readonly regex?: string } | { readonly query: string };

type SignedFamily = Exclude<DialectFamily, 'bedrock'>;

/** What official SDKs send, and keys whose form is their provider's own. In the syntax of RE2, whole values. */
export const signs: Readonly<Record<SignedFamily, readonly Sign[]>> = {
  anthropic: [{ header: 'anthropic-version' }, { header: 'authorization', regex: '(?i:bearer) +sk-ant-.*' }],
  gemini: [{ header: 'x-goog-api-key' }, { query: 'key' }, { header: 'x-goog-api-client' }, { header: 'authorization', regex: '(?i:bearer) +ya29\\..*' }],
  'azure-openai': [{ header: 'api-key' }],
  openai: [{ header: 'authorization', regex: '(?i:bearer) +sk-([^a].*|a([^n].*)?|an([^t].*)?|ant([^-].*)?)?' }, { header: 'openai-organization' }, { header: 'openai-project' }],
};

/** A shape of paths, of whole paths without their query. `sign`: it counts only with one of the family's signs. */
export interface PathShape {
  readonly family: DialectFamily;
  readonly regex: string;
  readonly sign?: Sign;
  /** More than one provider has such paths: what the head says must not contradict itself. */
  readonly shared?: true;
}

const anthropicOwn = '/v1/(messages|complete|organizations)(/.*)?';
/** Envoy takes no expression of more than 100 steps, about as many letters. */
const geminiOwn = [
  '/(v1alpha|v1beta[0-9]*|upload|download|resumable|ws)/.*',
  '/v1/(models|files)/[^/]+(:|%3[aA]).*',
  '/v1/(auth_tokens|cachedContents|corpora|fileSearchStores)(/.*)?',
  '/v1/(generatedFiles|interactions|operations|projects)(/.*)?',
  '/v1/(publishers|tunedModels)(/.*)?',
];
const anyV1 = '/v1/.*';
/** Paths that OpenAI's dialect alone has; Google serves that dialect under /v1beta/openai. */
const openaiOwn = /^\/v1\/(?:chat\/completions|completions|responses|embeddings|moderations|images|audio|realtime)(?:\/|$)/;

function signed(family: SignedFamily): PathShape[] {
  return signs[family].map((sign) => ({ family, regex: anyV1, sign, shared: true }));
}

/**
 * How a path says its dialect, together with the request's head, when neither host nor prefix does. The first one that fits counts; Envoy's
 * routes are made from the same table.
 */
export const pathShapes: readonly PathShape[] = [
  { family: 'anthropic', regex: anthropicOwn },
  ...geminiOwn.map((regex) => ({ family: 'gemini' as const, regex })),
  { family: 'azure-openai', regex: '/openai/.*' },
  { family: 'bedrock', regex: '/model/.*' },
  ...signed('anthropic'),
  ...signed('gemini'),
  ...signed('azure-openai'),
  { family: 'openai', regex: anyV1, shared: true },
];

/** What can be asked of a request's head. */
export interface HeadView {
  get(name: string): string | undefined;
}

const none: HeadView = { get: () => undefined };

interface CompiledShape {
  readonly family: DialectFamily;
  readonly path: RegExp;
  readonly sign: ((head: HeadView, query: string) => boolean) | null;
  readonly shared: boolean;
}

function signTest(sign: Sign): (head: HeadView, query: string) => boolean {
  if ('query' in sign) {
    const wanted = new RegExp(`[?&]${sign.query}=`);
    return (_head, query) => wanted.test(query);
  }
  // The one construct of the table that JavaScript's expressions write otherwise.
  const regex = sign.regex === undefined ? null : new RegExp(`^(?:${sign.regex.replace('(?i:bearer)', '[Bb][Ee][Aa][Rr][Ee][Rr]')})$`);
  return (head) => {
    const value = head.get(sign.header);
    return value !== undefined && (regex === null || regex.test(value));
  };
}

const compiled: readonly CompiledShape[] = pathShapes.map(({ family, regex, sign, shared }) => ({ family, path: new RegExp(`^(?:${regex})$`), sign: sign === undefined ? null : signTest(sign), shared: shared === true }));
const signTests = (Object.entries(signs) as [SignedFamily, readonly Sign[]][]).map(([family, list]) => ({ family, tests: list.map(signTest) }));

/** Whose API a request's path and head say; `ambiguous`: they contradict each other, or leave it open whose key it carries; null: nobody's. `has`: whether there is a provider of a family. */
export function familyOf(path: string, head: HeadView = none, has: (family: DialectFamily) => boolean = () => true): DialectFamily | 'ambiguous' | null {
  const mark = path.indexOf('?');
  const plain = mark === -1 ? path : path.slice(0, mark);
  const query = mark === -1 ? '' : path.slice(mark);
  for (const { family, path: shape, sign, shared } of compiled) {
    if (!shape.test(plain) || (sign !== null && !sign(head, query))) continue;
    if (!has(family)) return shared || sign !== null ? 'ambiguous' : null;
    const said = signTests.filter(({ tests }) => tests.some((test) => test(head, query))).map((one) => one.family);
    if (shared && said.length > 1) return 'ambiguous';
    // A bearer whose form tells nothing may be any provider's: beside a key of Google's on such a path, one of the two would go to the wrong one.
    if (family === 'gemini' && openaiOwn.test(plain) && head.get('authorization') !== undefined) return 'ambiguous';
    // A key in a header that this API does not read is another provider's.
    if (family === 'openai' && head.get('authorization') === undefined && (said.some((one) => one !== 'openai') || head.get('x-api-key') !== undefined)) return 'ambiguous';
    return family;
  }
  return null;
}
