import { failureOf } from './failure.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import type { AnswerSink } from './translate-answer-types.ts';

/** What reads an API's events, where whole answers have the shape of one. */
interface EventReader {
  event(value: JsonObject): void;
  done(): void;
}

/** Reads a whole answer as the only event of a stream. `otherwise`: what an answer that is not an object is, for the message. */
export function readWhole(value: Json, reader: EventReader, sink: AnswerSink, otherwise: string): void {
  if (!isObject(value)) {
    sink.fail(failureOf('server', `The provider's answer is ${otherwise}.`));
    return;
  }
  reader.event(value);
  reader.done();
}
