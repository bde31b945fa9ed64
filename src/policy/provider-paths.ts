import type { Sign } from '../apis/api.ts';
import type { DialectFamily } from '../apis/names.ts';
import { dialects } from '../apis/registry.ts';

export type { Sign } from '../apis/api.ts';

/** A shape of paths, of whole paths without their query. `sign`: it counts only with one of the family's signs. */
export interface PathShape {
  readonly family: DialectFamily;
  readonly regex: string;
  readonly sign?: Sign;
  /** More than one provider has such paths: what the head says must not contradict itself. */
  readonly shared?: true;
}

/** The dialect that every other provider's /v1 is taken for. */
const usual: DialectFamily = 'openai';
const anyV1 = '/v1/.*';
/** Paths that OpenAI's dialect alone has; Google serves that dialect under /v1beta/openai. */
const openaiOwn = /^\/v1\/(?:chat\/completions|completions|responses|embeddings|moderations|images|audio|realtime)(?:\/|$)/;

const all = Object.values(dialects);

/**
 * How a path says its dialect, together with the request's head, when neither host nor prefix does. The first one that fits counts; Envoy's
 * routes are made from the same table.
 */
export const pathShapes: readonly PathShape[] = [
  ...all.flatMap(({ name, paths }) => paths.map((regex) => ({ family: name, regex }))),
  ...all.flatMap(({ name, signs }) =>
    name === usual ? [] : signs.map((sign): PathShape => ({ family: name, regex: anyV1, sign, shared: true })),
  ),
  { family: usual, regex: anyV1, shared: true },
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

const compiled: readonly CompiledShape[] = pathShapes.map(({ family, regex, sign, shared }) => ({
  family,
  path: new RegExp(`^(?:${regex})$`),
  sign: sign === undefined ? null : signTest(sign),
  shared: shared === true,
}));
const signTests = all.map(({ name, signs }) => ({ family: name, tests: signs.map(signTest) }));

/** How many families' signs a request carries, and whether one of them is another's than the usual one's. The same object each time. */
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

/** Whose API a request's path and head say; `ambiguous`: they contradict each other, or leave it open whose key it carries; null: nobody's. `has`: whether there is a provider of a family. */
export function familyOf(
  path: string,
  head: HeadView = none,
  has: (family: DialectFamily) => boolean = () => true,
): DialectFamily | 'ambiguous' | null {
  const mark = path.indexOf('?');
  const plain = mark === -1 ? path : path.slice(0, mark);
  const query = mark === -1 ? '' : path.slice(mark);
  for (const { family, path: shape, sign, shared } of compiled) {
    if (!shape.test(plain) || (sign !== null && !sign(head, query))) continue;
    if (!has(family)) return shared || sign !== null ? 'ambiguous' : null;
    const said = signsOf(head, query);
    if (shared && said.families > 1) return 'ambiguous';
    // A bearer whose form tells nothing may be any provider's: beside a key of Google's on such a path, one of the two would go to the wrong one.
    if (family === 'gemini' && openaiOwn.test(plain) && head.get('authorization') !== undefined) return 'ambiguous';
    // A key in a header that this API does not read is another provider's.
    if (family === usual && head.get('authorization') === undefined && (said.other || head.get('x-api-key') !== undefined))
      return 'ambiguous';
    return family;
  }
  return null;
}
