import type { ApiName, Exchange } from '../types.ts';
import { fitToolNames } from './tool-names.ts';
import type { Conversation, WriteOptions, Written } from './conversation.ts';
import { parseBody, writeJson } from './json.ts';
import type { Json } from './json.ts';
import { Losses, Malformed } from './losses.ts';
import type { Unsupported } from './losses.ts';
import { readAnthropic } from '../anthropic/translate-read.ts';
import { readGemini } from '../gemini/translate-read.ts';
import { readOpenAiChat } from '../openai-chat/translate-read.ts';
import { readOpenAiResponses } from '../openai-responses/translate-read.ts';
import { writeAnthropic } from '../anthropic/translate-write.ts';
import { writeGemini } from '../gemini/translate-write.ts';
import { writeOpenAiChat } from '../openai-chat/translate-write.ts';

/** The APIs that a request can be translated from. */
export type CallerApi = TargetApi | 'openai-responses';
/** The APIs that a request can be translated to. */
export type TargetApi = 'openai-chat' | 'anthropic-messages' | 'gemini-generate';

export interface TranslateOptions {
  /** The target's model. */
  readonly model: string;
  /** Whether the caller asked for a stream. */
  readonly stream: boolean;
  /** What may be left out, as paths in the caller's terms: `logit_bias`, `messages[].name`, `cache_control`. See neutralDrops. */
  readonly drop: readonly string[];
  /** max_tokens for an API that demands one (Anthropic) where the caller gives none, tokens; absent: a default by the model's name. */
  readonly defaultMaxTokens?: number | null;
  /** The most that the target's model can say (the catalog's limit), tokens: a higher limit of the caller's, which it would refuse, is brought down to it. */
  readonly maxOutputTokens?: number | null;
  /** The catalog's name of the provider: some take less than their API has; absent: not known. */
  readonly provider?: string;
}

export type TranslatedRequest =
  | {
      readonly ok: true;
      readonly body: Buffer;
      /** The API's own path, without the provider's base: `/v1/chat/completions`, `/v1/messages`, `/v1beta/models/M:generateContent`. */
      readonly path: string;
      /** Headers that the target's API demands, lower case, beyond the content type and credentials. */
      readonly headers: Readonly<Record<string, string>>;
      /** Paths of what was left out, as `drop` allows. */
      readonly dropped: readonly string[];
      /** The app's names of tools by those that the target got in their place; empty: they are the same. */
      readonly names: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly unsupported: readonly Unsupported[] };

type Reader = (body: Json, losses: Losses) => Conversation;
type Writer = (conversation: Conversation, options: WriteOptions, losses: Losses) => Written;

const readers: Readonly<Record<CallerApi, Reader>> = { 'openai-chat': readOpenAiChat, 'anthropic-messages': readAnthropic, 'gemini-generate': readGemini, 'openai-responses': readOpenAiResponses };
const writers: Readonly<Record<TargetApi, Writer>> = { 'openai-chat': writeOpenAiChat, 'anthropic-messages': writeAnthropic, 'gemini-generate': writeGemini };

const headers: Readonly<Record<TargetApi, Readonly<Record<string, string>>>> = {
  'openai-chat': {},
  'anthropic-messages': { 'anthropic-version': '2023-06-01' },
  'gemini-generate': {},
};

/** Request headers that belong to one API and must not reach another, lower case. Credentials are for the one who calls to replace. */
export const apiHeaders: readonly string[] = ['anthropic-version', 'anthropic-beta', 'anthropic-dangerous-direct-browser-access', 'openai-beta', 'openai-organization', 'openai-project', 'x-goog-api-client', 'x-goog-user-project'];

export function isCallerApi(api: ApiName): api is CallerApi {
  return Object.hasOwn(readers, api);
}

export function isTargetApi(api: ApiName): api is TargetApi {
  return Object.hasOwn(writers, api);
}

/** What `canTranslate` asks of an exchange. */
export type TranslationFacts = Pick<Exchange, 'n' | 'audioInputs' | 'audioOutput' | 'jsonOutput'>;

/**
 * Whether a request of one API may become one of another, from what is known before its body is parsed: cheap enough for every decision.
 * True is a may: translateRequest reads the whole body and has the last word. The same API on both sides needs no translation and is true.
 */
export function canTranslate(from: ApiName, to: ApiName, facts?: TranslationFacts, drop: readonly string[] = []): boolean {
  if (from === to) return true;
  if (!isCallerApi(from) || !isTargetApi(to)) return false;
  // What stands in the way may be on the list; only the body tells by which name.
  if (facts === undefined || drop.length > 0) return true;
  if (facts.n > 1 || facts.audioOutput) return false;
  return to !== 'anthropic-messages' || (facts.audioInputs === 0 && facts.jsonOutput !== 'object');
}

/**
 * Writes a request of one API as a request of another. Never throws: a body that cannot be read, or that says something which the
 * target has no place for and `drop` does not name, comes back as `unsupported`, each part with its reason.
 */
export function translateRequest(from: ApiName, to: ApiName, body: Buffer, options: TranslateOptions): TranslatedRequest {
  if (from === to || !isCallerApi(from) || !isTargetApi(to)) return refusal('', `${from} is not translated to ${to}`);
  const parsed = parseBody(body);
  if (parsed === undefined) return refusal('', 'is no JSON, or nested too deeply');
  const losses = new Losses(options.drop);
  try {
    const conversation = readers[from](parsed, losses);
    const most = options.maxOutputTokens ?? Infinity;
    const fitting = conversation.maxTokens !== null && conversation.maxTokens > most ? { ...conversation, maxTokens: most } : conversation;
    const { conversation: named, names } = fitToolNames(fitting, to);
    const written = writers[to](named, { model: options.model, stream: options.stream, defaultMaxTokens: options.defaultMaxTokens ?? null, maxOutputTokens: most, provider: options.provider ?? null }, losses);
    const { unsupported } = losses;
    if (unsupported.length > 0) return { ok: false, unsupported };
    return { ok: true, body: Buffer.from(writeJson(written.body)), path: written.path, headers: headers[to], dropped: losses.dropped, names };
  } catch (error) {
    if (error instanceof Malformed) return refusal(error.path, error.message);
    // The stack's end: nested deeper than a writer can follow.
    if (error instanceof RangeError) return refusal('', 'is nested too deeply');
    throw error;
  }
}

function refusal(path: string, why: string): TranslatedRequest {
  return { ok: false, unsupported: [{ path, why }] };
}
