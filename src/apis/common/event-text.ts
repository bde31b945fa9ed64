/** A server-sent event without a name. */
export const dataEvent = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
/** A server-sent event that is named after its type. */
export const namedEvent = (value: { readonly type: string; readonly [name: string]: unknown }): string =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
/** The end mark of OpenAI's streams, and of those like them. */
export const doneEvent = 'data: [DONE]\n\n';
