/** A piece of text in an event; the next event of its channel continues it. */
export interface Delta {
  /** Path from the event's data to the text: members and indices, each after a slash. */
  readonly path: string;
  readonly channel: string;
  readonly text: string;
  /** The channel's text is JSON. */
  readonly json: boolean;
  /** Makes an event that carries only this text in this channel. */
  readonly event: (text: string) => Buffer;
}

/** The pieces of one event, and the channels that end with it. */
export interface Deltas {
  readonly deltas: readonly Delta[];
  readonly ends: (channel: string) => boolean;
}

/** Reads the text pieces in a parsed event of an API's stream. `jsonOutput`: the app asked for JSON. */
export type DeltaReading = (event: Json, jsonOutput: boolean) => Deltas;

export type Json = Readonly<Record<string, unknown>>;

export const noDeltas: Deltas = { deltas: [], ends: () => false };
export const allChannels = (): boolean => true;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Elements of a list; an element that is not an object counts as an empty one. */
export function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map((one: unknown) => (isObject(one) ? one : {})) : [];
}

/** An event of a stream; `name`: the value of its `event` field. */
export function rendered(data: Json, name?: string): Buffer {
  return Buffer.from(`${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`);
}
