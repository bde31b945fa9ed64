import { renderError } from '../apis/errors.ts';
import type { Dialect } from '../apis/api.ts';
import { apis, dialects } from '../apis/registry.ts';
import type { ApiName } from '../apis/types.ts';
import { inMetadata } from './usage.ts';
import { errorForm, errorsKey } from './names.ts';

type Json = Readonly<Record<string, unknown>>;

/** An API whose errors Envoy writes, and a path at any prefix whose calls are of it; null: all that no other has. */
interface Form {
  readonly api: ApiName;
  readonly path: string | null;
}

interface Failure {
  readonly filter: Json;
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const common = dialects.openai.errorApi;
const isCommon = ({ errorApi }: Pick<Dialect, 'errorApi'>): boolean => apis[errorApi].errors === apis[common].errors;

/** One for each path. The common form comes first, for its paths behind other APIs' prefixes, and last, for all other paths. */
const forms: readonly Form[] = [
  ...Object.values(dialects)
    .sort((a, b) => Number(isCommon(b)) - Number(isCommon(a)))
    .flatMap(({ errorApi: api, paths }) => paths.map((path) => ({ api, path }))),
  { api: common, path: null },
];

const tooLarge = 413;

/** What Envoy answers by itself when a provider does not: by its response flags. */
const failures: readonly Failure[] = [
  {
    filter: { response_flag_filter: { flags: ['UT', 'DT', 'UMSDR'] } },
    status: 504,
    code: 'timeout',
    message: 'The provider gave no answer in time.',
  },
  {
    filter: { response_flag_filter: { flags: ['UF', 'UC', 'UR', 'LR', 'UH', 'UO', 'UPE', 'URX', 'NC', 'OM'] } },
    status: 503,
    code: 'provider_unreachable',
    message: 'The provider could not be reached, or its connection broke before it answered.',
  },
  {
    filter: {
      extension_filter: {
        name: 'envoy.access_loggers.extension_filters.cel',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
          expression: "response.code_details == 'request_payload_too_large'",
        },
      },
    },
    status: tooLarge,
    code: 'request_too_large',
    message: 'The request is larger than the gateway takes.',
  },
];

/** A request that Sluice decided. */
const decided: Json = inMetadata('id', { present_match: true });

/** The paths of the common form that hold a prompt. */
const prompts = '/(?:chat/completions|completions|responses|embeddings)';

/**
 * The same for a listener with other traffic too, whose answers stay as they are. A request that is too large is not decided: it is known by
 * its path alone.
 */
export function decidedReplies(): Json {
  const of = (large: boolean): readonly Failure[] => failures.filter(({ status }) => (status === tooLarge) === large);
  const places = [...forms.filter(({ path }) => path !== null), { api: common, path: prompts }];
  return {
    mappers: [
      ...mappersOf(of(false)).map((mapper) => ({ ...mapper, filter: { and_filter: { filters: [decided, mapper.filter] } } })),
      ...of(true).flatMap((failure) => places.map((form) => atPath(failure, form))),
    ],
  };
}

/**
 * Envoy's own answers as the errors of the API that was called, so that SDKs can read them: Envoy writes plain text. A request that may have
 * been translated names its API in the metadata, because its path is that of the last attempt.
 */
export function localReplies(): Json {
  return { mappers: mappersOf(failures) };
}

interface Mapper {
  readonly filter: Json;
  readonly body_format_override: Json;
}

function mappersOf(of: readonly Failure[]): readonly Mapper[] {
  return of.flatMap((failure) => [
    ...new Map(forms.map((form) => [form.api, named(failure, form)])).values(),
    ...forms.map((form) => atPath(failure, form)),
  ]);
}

function named(failure: Failure, { api }: Form): Mapper {
  const inOwnForm = inMetadata(errorsKey, { string_match: { exact: errorForm(api) } });
  return { filter: { and_filter: { filters: [failure.filter, inOwnForm] } }, ...reply(failure, api) };
}

function atPath(failure: Failure, { api, path }: Form): Mapper {
  if (path === null) return { filter: failure.filter, ...reply(failure, api) };
  const matches = {
    header_filter: { header: { name: ':path', string_match: { safe_regex: { regex: `(?:/[^?]*)?(?:${path})(?:\\?.*)?` } } } },
  };
  return { filter: { and_filter: { filters: [failure.filter, matches] } }, ...reply(failure, api) };
}

function reply({ status, code, message }: Failure, api: ApiName): Pick<Mapper, 'body_format_override'> {
  const { body, contentType } = renderError(api, { status, code, message });
  return { body_format_override: { text_format_source: { inline_string: body.toString('utf8') }, content_type: contentType } };
}
