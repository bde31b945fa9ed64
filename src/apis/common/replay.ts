import { SseSplitter } from '../scan/sse.ts';
import type { AnswerForm, CachedUsage, CacheEntry, WantedForm } from '../../cache/types.ts';
import { messageFromStream, messageToStream } from '../anthropic/replay.ts';
import { contentFromChunks } from '../gemini/replay.ts';
import { CannotConvert, dataEvent, fields, isFields, list, type Fields } from './replay-json.ts';
import { chatFromStream, chatToStream, completionFromStream, completionToStream } from '../openai-chat/replay.ts';
import { responseFromStream, responseToStream } from '../openai-responses/replay.ts';
import { withZeroUsage } from './replay-zero-usage.ts';

export interface Rendered {
  readonly contentType: string;
  readonly body: Buffer;
}

const contentTypes: Readonly<Record<AnswerForm, string>> = {
  json: 'application/json',
  sse: 'text/event-stream; charset=utf-8',
  array: 'application/json',
};

/**
 * An answer in the form that a caller asked for: the bytes as they came where the forms agree, written anew where they do
 * not; `usage` says what tokens it names. Null when something in it is not known well enough for that, or lacks the usage that the other form must carry: then
 * the provider has to be asked.
 */
export function renderAnswer(entry: Pick<CacheEntry, 'api' | 'form' | 'body' | 'usage'>, wanted: WantedForm, usage: CachedUsage = 'original'): Rendered | null {
  try {
    const body = bodyFor(entry, wanted);
    return body === null ? null : { contentType: contentTypes[wanted.form], body: usage === 'zero' ? withZeroUsage(body, wanted.form) : body };
  } catch (error) {
    if (error instanceof CannotConvert || error instanceof SyntaxError) return null;
    throw error;
  }
}

function bodyFor({ api, form, body, usage }: Pick<CacheEntry, 'api' | 'form' | 'body' | 'usage'>, wanted: WantedForm): Buffer | null {
  const saysUsageOnRequest = api === 'openai-chat' || api === 'openai-completions';
  if (form === wanted.form) {
    if (form !== 'sse' || !saysUsageOnRequest || (usage !== null) === wanted.includeUsage) return body;
    return wanted.includeUsage ? null : withoutUsageChunk(body);
  }
  if (usage === null) return null;
  switch (api) {
    case 'openai-chat':
      return form === 'json' ? joined(chatToStream(object(body), wanted.includeUsage)) : json(chatFromStream(eventsOf(body)));
    case 'openai-completions':
      return form === 'json' ? joined(completionToStream(object(body), wanted.includeUsage)) : json(completionFromStream(eventsOf(body)));
    case 'openai-responses':
      return form === 'json' ? joined(responseToStream(object(body))) : json(responseFromStream(eventsOf(body)));
    case 'anthropic-messages':
      return form === 'json' ? joined(messageToStream(object(body))) : json(messageFromStream(eventsOf(body)));
    case 'gemini-generate':
      return gemini(form, body, wanted.form);
    case 'openai-embeddings':
    case 'anthropic-count-tokens':
    case 'bedrock':
    case 'other-llm':
      return null;
  }
}

function gemini(form: AnswerForm, body: Buffer, wanted: AnswerForm): Buffer {
  const chunks = form === 'json' ? [object(body)] : form === 'sse' ? eventsOf(body) : list(JSON.parse(body.toString('utf8'))).map(fields);
  switch (wanted) {
    case 'json':
      return json(contentFromChunks(chunks));
    case 'sse':
      return joined(chunks.map(dataEvent));
    case 'array':
      return json(chunks);
  }
}

/** An OpenAI stream for a caller who did not ask for usage: its last chunk has no choice, which such callers do not expect. */
function withoutUsageChunk(body: Buffer): Buffer {
  const kept: string[] = [];
  for (const data of rawEvents(body)) {
    if (data.includes('"usage"')) {
      const event = fields(JSON.parse(data));
      if (isFields(event['usage']) && list(event['choices']).length === 0) continue;
    }
    kept.push(`data: ${data}\n\n`);
  }
  return joined(kept);
}

function eventsOf(body: Buffer): Fields[] {
  return rawEvents(body)
    .filter((data) => data !== '[DONE]')
    .map((data) => fields(JSON.parse(data)));
}

function rawEvents(body: Buffer): string[] {
  const events: string[] = [];
  const splitter = new SseSplitter((data) => events.push(data.toString('utf8')));
  splitter.push(body);
  splitter.end();
  if (splitter.skipped > 0) throw new CannotConvert('an event is too long');
  return events;
}

function object(body: Buffer): Fields {
  return fields(JSON.parse(body.toString('utf8')));
}

function joined(events: readonly string[]): Buffer {
  return Buffer.from(events.join(''));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
