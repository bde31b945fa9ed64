import { countPlaceholder } from './direct/messages.ts';
import { chatBody } from './load.ts';

/** A chat body that differs from all others by its number, which the driver writes into it. */
export const numberedBody = (bytes: number): Buffer =>
  Buffer.from(chatBody(bytes, false).toString().replace('Summarize what', `${countPlaceholder} what`));
