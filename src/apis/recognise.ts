import { decoded, pass } from './common/recognition.ts';
import { dialectNames, dialects } from './registry.ts';
import type { DialectFamily, Recognition, RequestHead } from './types.ts';

/** The segment after one of these names a model: escapes in it belong to the model's name. */
const beforeModel: ReadonlySet<string> = new Set(['model', 'models', 'deployments', 'tunedModels', 'endpoints']);
const escapedVerb = /%3a(?=[a-z]+$)/i;
/** What a path has that can be written in another way. */
const unusual = /%|\/\/|\/\.{1,2}(?:\/|$)|.\/$/;

/**
 * The path as lenient providers and proxies read it: single slashes, no trailing slash, dots resolved, no unnecessary escapes. The query is
 * unchanged. Returns the same text if there was nothing to change.
 */
export function canonicalPath(raw: string): string {
  const query = raw.indexOf('?');
  const path = query === -1 ? raw : raw.slice(0, query);
  if (!unusual.test(path)) return raw;
  const segments: string[] = [];
  const take = (segment: string): void => {
    if (segment === '' || segment === '.') return;
    if (segment === '..') segments.pop();
    else segments.push(segment);
  };
  for (const segment of path.split('/')) {
    if (!segment.includes('%')) take(segment);
    else if (beforeModel.has(segments.at(-1) ?? '')) take(segment.replace(escapedVerb, ':'));
    else for (const part of (decoded(segment) ?? segment).split('/')) take(part);
  }
  return `/${segments.join('/')}${query === -1 ? '' : raw.slice(query)}`;
}

/**
 * Classifies a request by its path, method and headers. `head.path` has no gateway prefix any more. `lenient`: read the body whatever its
 * headers say. Never throws; unknown paths pass.
 */
export function recognise(head: RequestHead, family: DialectFamily, lenient = false): Recognition {
  if (head.upgrade) return pass('upgrade');
  const query = head.path.indexOf('?');
  return dialects[family].recognise(head, query === -1 ? head.path : head.path.slice(0, query), lenient);
}

/** The same when the provider is unknown: uses the wire format that recognises the path. */
export function recogniseByPath(head: RequestHead): Recognition {
  const read = dialectNames.map((family) => recognise(head, family));
  return read.find(({ kind }) => kind === 'readable') ?? read[0]!;
}
