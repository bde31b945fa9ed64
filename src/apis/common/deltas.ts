/** A piece of text in an event that the next event of its channel goes on with. */
export interface Delta {
  /** Members and indices from the event's data to it, each after a slash. */
  readonly path: string;
  readonly channel: string;
  readonly text: string;
  /** The channel's text is JSON. */
  readonly json: boolean;
  /** An event that only carries this text in this channel. */
  readonly event: (text: string) => Buffer;
}

/** The pieces of one event, and which channels are over with it. */
export interface Deltas {
  readonly deltas: readonly Delta[];
  readonly ends: (channel: string) => boolean;
}

/** What an event of an API's stream, parsed, says piece by piece. `jsonOutput`: the app asked for JSON. */
export type DeltaReading = (event: Json, jsonOutput: boolean) => Deltas;

export type Json = Readonly<Record<string, unknown>>;

export const noDeltas: Deltas = { deltas: [], ends: () => false };
export const allChannels = (): boolean => true;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Elements of a list; what is no object counts as an empty one. */
export function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map((one: unknown) => (isObject(one) ? one : {})) : [];
}

/** An event of a stream; `name`: what its `event` field says. */
export function rendered(data: Json, name?: string): Buffer {
  return Buffer.from(`${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`);
}
