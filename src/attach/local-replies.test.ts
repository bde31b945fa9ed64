import { expect, it } from 'vitest';
import { decidedReplies, localReplies } from './local-replies.ts';

interface Filter {
  readonly and_filter?: { readonly filters: readonly Filter[] };
  readonly header_filter?: {
    readonly header: { readonly name: string; readonly string_match: { readonly safe_regex: { readonly regex: string } } };
  };
  readonly metadata_filter?: object;
}
interface Mapper {
  readonly filter: Filter;
  readonly body_format_override: { readonly text_format_source: { readonly inline_string: string }; readonly content_type: string };
}

const mappersOf = (replies: Readonly<Record<string, unknown>>): readonly Mapper[] => replies['mappers'] as readonly Mapper[];
const isLarge = (mapper: Mapper): boolean => JSON.stringify(mapper.filter).includes('request_payload_too_large');
const pathOf = ({ filter }: Mapper): string | undefined =>
  filter.and_filter?.filters.flatMap(({ header_filter: header }) => header?.header.string_match.safe_regex.regex ?? [])[0];

/** The body that Envoy writes for a request to a path that is too large; null: its plain text. The first mapper that fits counts. */
function said(path: string): unknown {
  const mapper = mappersOf(decidedReplies()).find((one) => isLarge(one) && new RegExp(`^(?:${pathOf(one) ?? '(?!)'})$`).test(path));
  return mapper === undefined ? null : JSON.parse(mapper.body_format_override.text_format_source.inline_string);
}

it.each([
  ['/v1/chat/completions', { error: { code: 'request_too_large' } }],
  ['/openai/v1/responses?x=1', { error: { code: 'request_too_large' } }],
  ['/v1/messages', { type: 'error', error: { type: 'request_too_large' } }],
  ['/v1beta/models/gemini-2.5-flash:generateContent', { error: { code: 413 } }],
  ['/v2/chat', { message: 'The request is larger than the gateway takes.' }],
])('a request that is too large is answered in its API’s words in a mesh, too: %s', (path, body) => expect(said(path)).toMatchObject(body));

it.each(['/', '/upload', '/v1/orders', '/api/messages-of-the-day'])('other traffic of the listener keeps Envoy’s own answer: %s', (path) =>
  expect(said(path)).toBeNull(),
);

it('whatever else a shared listener says in an API’s words belongs to a decided request', () => {
  const rest = mappersOf(decidedReplies()).filter((mapper) => !isLarge(mapper));
  expect(rest.length).toBe(mappersOf(localReplies()).filter((mapper) => !isLarge(mapper)).length);
  expect(rest.every(({ filter }) => JSON.stringify(filter.and_filter?.filters[0]).includes('metadata_filter'))).toBe(true);
});
