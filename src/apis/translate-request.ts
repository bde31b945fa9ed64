import type { TranslationFacts } from './api.ts';
import { parseBody, writeJson } from './common/json.ts';
import { Losses, Malformed, neutralDrops } from './common/losses.ts';
import type { Unsupported } from './common/losses.ts';
import { fitToolNames } from './common/tool-names.ts';
import { apis, dialects } from './registry.ts';
import type { ApiName } from './types.ts';

export interface TranslateOptions {
  /** The target's model. */
  readonly model: string;
  /** Whether the caller asked for a stream. */
  readonly stream: boolean;
  /** What may be left out, as paths in the caller's API: `logit_bias`, `messages[].name`, `cache_control`. See neutralDrops. */
  readonly drop: readonly string[];
  /** max_tokens for an API that requires it (Anthropic) when the caller gives none, tokens; absent: a default by the model's name. */
  readonly defaultMaxTokens?: number | null;
  /**
   * The output limit of the target's model (from the catalog), tokens: a higher limit from the caller, which the model would refuse, is
   * lowered to it.
   */
  readonly maxOutputTokens?: number | null;
  /** The catalog's name of the provider, because some accept less than their API allows; absent when unknown. */
  readonly provider?: string;
}

export type TranslatedRequest =
  | {
      readonly ok: true;
      readonly body: Buffer;
      /** The API's own path, without the provider's base: `/v1/chat/completions`, `/v1/messages`, `/v1beta/models/M:generateContent`. */
      readonly path: string;
      /** Headers that the target's API requires, lower case, beyond the content type and credentials. */
      readonly headers: Readonly<Record<string, string>>;
      /** Paths of the parts that were left out, as `drop` allows. */
      readonly dropped: readonly string[];
      /** Maps the tool names that the target got to the app's names; empty when they are the same. */
      readonly names: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly unsupported: readonly Unsupported[] };

/** Request headers that belong to one API and must not reach another, lower case. The caller of this module replaces credentials. */
export const apiHeaders: readonly string[] = [...new Set(Object.values(dialects).flatMap(({ ownHeaders }) => ownHeaders))];

const neutral: ReadonlySet<string> = new Set(neutralDrops);

/**
 * Whether a request of one API may be translated to another, from what is known before its body is parsed: cheap enough for every decision.
 * True means "possibly": translateRequest reads the whole body and decides. True for the same API on both sides, which needs no
 * translation.
 */
export function canTranslate(from: ApiName, to: ApiName, facts?: TranslationFacts, drop: readonly string[] = []): boolean {
  if (from === to) return true;
  const { target } = apis[to].translation;
  if (apis[from].translation.caller === null || target === null) return false;
  // The obstacle may be on the drop list; only the body shows under which name. None of these facts is neutral.
  if (facts === undefined || drop.some((entry) => !neutral.has(entry))) return true;
  return facts.n <= 1 && !facts.audioOutput && target.takes(facts);
}

/**
 * Writes a request of one API as a request of another. Never throws: a body that cannot be read, or that contains something that the target
 * cannot express and `drop` does not name, comes back as `unsupported`, each part with its reason.
 */
export function translateRequest(from: ApiName, to: ApiName, body: Buffer, options: TranslateOptions): TranslatedRequest {
  const { caller } = apis[from].translation;
  const { target } = apis[to].translation;
  if (from === to || caller === null || target === null) return refusal('', `${from} is not translated to ${to}`);
  const parsed = parseBody(body);
  if (parsed === undefined) return refusal('', 'is no JSON, or nested too deeply');
  const losses = new Losses(options.drop);
  try {
    const conversation = caller.read(parsed, losses);
    const most = options.maxOutputTokens ?? Infinity;
    const fitting = conversation.maxTokens !== null && conversation.maxTokens > most ? { ...conversation, maxTokens: most } : conversation;
    const { conversation: named, names } = fitToolNames(fitting, target.toolNames);
    const written = target.write(
      named,
      {
        model: options.model,
        stream: options.stream,
        defaultMaxTokens: options.defaultMaxTokens ?? null,
        maxOutputTokens: most,
        provider: options.provider ?? null,
      },
      losses,
    );
    const { unsupported } = losses;
    if (unsupported.length > 0) return { ok: false, unsupported };
    return {
      ok: true,
      body: Buffer.from(writeJson(written.body)),
      path: written.path,
      headers: target.headers,
      dropped: losses.dropped,
      names,
    };
  } catch (error) {
    if (error instanceof Malformed) return refusal(error.path, error.message);
    // Stack overflow: nested too deeply for a writer.
    if (error instanceof RangeError) return refusal('', 'is nested too deeply');
    throw error;
  }
}

function refusal(path: string, why: string): TranslatedRequest {
  return { ok: false, unsupported: [{ path, why }] };
}
