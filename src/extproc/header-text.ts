/** Characters not allowed in a header value: a line break would end the header, and the rest would become another header. */
const unsafe = /[^\x20-\x7e]+/;
const allUnsafe = /[^\x20-\x7e]+/g;

/**
 * Text for a header, or for metadata that Envoy writes into one: callers choose model names, and a name with a line break must not inject a
 * header or an answer. Everything but printable ASCII is percent-encoded as UTF-8.
 */
export function headerText(text: string): string {
  return unsafe.test(text) ? text.toWellFormed().replace(allUnsafe, (part) => encodeURIComponent(part)) : text;
}
