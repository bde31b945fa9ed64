import type { Sign } from '../apis/api.ts';
import type { DialectFamily } from '../apis/names.ts';
import { dialects } from '../apis/registry.ts';
import { Newest } from '../lib/newest.ts';

export type { Sign } from '../apis/api.ts';

/** A pattern for whole paths without their query. `sign`: it applies only with one of the family's signs. */
export interface PathShape {
  readonly family: DialectFamily;
  readonly regex: string;
  readonly sign?: Sign;
  /** More than one provider has such paths, so the request's headers must not contradict each other. */
  readonly shared?: true;
}

/** The dialect assumed for every other provider's /v1. */
const usual: DialectFamily = 'openai';
const anyV1 = '/v1/.*';
/** Paths that only OpenAI's dialect has; Google serves that dialect under /v1beta/openai. */
const openaiOwn = /^\/v1\/(?:chat\/completions|completions|responses|embeddings|moderations|images|audio|realtime)(?:\/|$)/;

const all = Object.values(dialects);

/**
 * How a path and the request's headers identify the dialect, if neither host nor prefix does. The first match counts; Envoy's routes are
 * generated from the same table.
 */
export const pathShapes: readonly PathShape[] = [
  ...all.flatMap(({ name, paths }) => paths.map((regex) => ({ family: name, regex }))),
  ...all.flatMap(({ name, signs }) =>
    name === usual ? [] : signs.map((sign): PathShape => ({ family: name, regex: anyV1, sign, shared: true })),
  ),
  { family: usual, regex: anyV1, shared: true },
];

/** Read access to a request's headers. */
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
  // The only construct in the table that JavaScript's regular expressions write differently.
  const regex = sign.regex === undefined ? null : new RegExp(`^(?:${sign.regex.replace('(?i:bearer)', '[Bb][Ee][Aa][Rr][Ee][Rr]')})$`);
  return (head) => {
    const value = head.get(sign.header);
    return value !== undefined && (regex === null || regex.test(value));
  };
}

const compiled: readonly CompiledShape[] = pathShapes.map(({ family, regex, sign, shared }) => ({
  family,
  path: new RegExp(`^(?:${regex})$`),
  sign: sign === undefined ? null : signTest(sign),
  shared: shared === true,
}));
/** Shapes of recent paths: most requests of a gateway have one of a few, and a dozen regular expressions cost more than the rest. */
const recent = new Newest<readonly CompiledShape[]>(64);
/** Maximum length of a path that is remembered, in UTF-16 units. */
const rememberedUnits = 128;

/** The shapes that a path without its query has, by its text alone. */
function shapesOf(plain: string): readonly CompiledShape[] {
  const known = recent.get(plain);
  if (known !== undefined) return known;
  const found = compiled.filter(({ path }) => path.test(plain));
  // A copy: a part of a text keeps the whole of it, and the query may hold a key.
  if (plain.length <= rememberedUnits) recent.set(Buffer.from(plain, 'utf16le').toString('utf16le'), found);
  return found;
}

const signTests = all.map(({ name, signs }) => ({ family: name, tests: signs.map(signTest) }));

/**
 * How many families' signs a request carries, and whether one belongs to a family other than the usual one. Returns the same object each
 * time.
 */
function signsOf(head: HeadView, query: string): typeof signsSeen {
  signsSeen.families = 0;
  signsSeen.other = false;
  for (const { family, tests } of signTests) {
    for (const test of tests) {
      if (!test(head, query)) continue;
      signsSeen.families++;
      if (family !== usual) signsSeen.other = true;
      break;
    }
  }
  return signsSeen;
}

const signsSeen = { families: 0, other: false };

/**
 * Which family's API a request's path and headers identify; `ambiguous` if they contradict each other or leave open whose key the request
 * carries; null for none. `has`: whether there is a provider of a family.
 */
export function familyOf(
  path: string,
  head: HeadView = none,
  has: (family: DialectFamily) => boolean = () => true,
): DialectFamily | 'ambiguous' | null {
  const mark = path.indexOf('?');
  const plain = mark === -1 ? path : path.slice(0, mark);
  const query = mark === -1 ? '' : path.slice(mark);
  for (const { family, sign, shared } of shapesOf(plain)) {
    if (sign !== null && !sign(head, query)) continue;
    if (!has(family)) return shared || sign !== null ? 'ambiguous' : null;
    const said = signsOf(head, query);
    if (shared && said.families > 1) return 'ambiguous';
    // A generic bearer token may belong to any provider: beside a Google key on such a path, one of the two would reach the wrong provider.
    if (family === 'gemini' && openaiOwn.test(plain) && head.get('authorization') !== undefined) return 'ambiguous';
    // A key in a header that this API does not read belongs to another provider.
    if (family === usual && head.get('authorization') === undefined && (said.other || head.get('x-api-key') !== undefined))
      return 'ambiguous';
    return family;
  }
  return null;
}
