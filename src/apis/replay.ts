import type { AnswerForm, CachedUsage, WantedForm, StoredAnswer } from './answer-forms.ts';
import type { AnswerSide } from './api.ts';
import { CannotConvert, fields, list, parsed, type Fields } from './common/replay-json.ts';
import { dataEvent } from './common/event-text.ts';
import { withZeroUsage } from './common/replay-zero-usage.ts';
import { apis } from './registry.ts';
import { SseSplitter } from './scan/sse.ts';

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
 * An answer in the form that a caller asked for: the original bytes if the forms agree, otherwise converted. `usage`: the token counts that
 * it names. Null if some part is not known well enough to convert, or if the usage that the other form requires is missing: the provider
 * must then be asked.
 */
export function renderAnswer(entry: StoredAnswer, wanted: WantedForm, usage: CachedUsage = 'original'): Rendered | null {
  try {
    const body = bodyFor(entry, wanted);
    return body === null
      ? null
      : { contentType: contentTypes[wanted.form], body: usage === 'zero' ? withZeroUsage(body, wanted.form) : body };
  } catch (error) {
    if (error instanceof CannotConvert || error instanceof SyntaxError) return null;
    throw error;
  }
}

function bodyFor({ api, form, body, usage }: StoredAnswer, wanted: WantedForm): Buffer | null {
  const { replay, usageEvent } = apis[api].answer;
  if (form === wanted.form) {
    if (form !== 'sse' || usageEvent === null || (usage !== null) === wanted.includeUsage) return body;
    return wanted.includeUsage ? null : withoutUsage(body, usageEvent);
  }
  if (usage === null || replay === null) return null;
  if (form === 'json') return wanted.form === 'sse' ? joined(replay.toStream(object(body), wanted.includeUsage)) : json([object(body)]);
  const events = form === 'sse' ? eventsOf(body) : list(parsed(body.toString('utf8'))).map(fields);
  switch (wanted.form) {
    case 'json':
      return json(replay.fromStream(events));
    case 'sse':
      return joined(events.map(dataEvent));
    case 'array':
      return json(events);
  }
}

/** A stream for a caller who did not ask for usage: such callers do not expect an event that carries only usage. */
function withoutUsage(body: Buffer, usageEvent: NonNullable<AnswerSide['usageEvent']>): Buffer {
  const kept = rawEvents(body).filter((data) => !(data.includes('"usage"') && usageEvent(fields(parsed(data)))));
  return joined(kept.map((data) => `data: ${data}\n\n`));
}

function eventsOf(body: Buffer): Fields[] {
  return rawEvents(body)
    .filter((data) => data !== '[DONE]')
    .map((data) => fields(parsed(data)));
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
  return fields(parsed(body.toString('utf8')));
}

function joined(events: readonly string[]): Buffer {
  return Buffer.from(events.join(''));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
