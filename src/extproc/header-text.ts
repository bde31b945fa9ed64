/** What may not stand in a header's value as it is: a line break would end the header, and what follows it would be the next. */
const unsafe = /[^\x20-\x7e]+/;
const allUnsafe = /[^\x20-\x7e]+/g;

/**
 * A text for a header, or for metadata that Envoy writes into one: callers choose the names of models, and a name with a line break must not become a
 * header or an answer of its own. All but printable ASCII is percent-encoded, as UTF-8.
 */
export function headerText(text: string): string {
  return unsafe.test(text) ? text.toWellFormed().replace(allUnsafe, (part) => encodeURIComponent(part)) : text;
}
