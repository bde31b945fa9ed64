/** Cloud and vendor prefixes of model names, followed by a dot (Bedrock). */
const vendor =
  /^(?:(?:us|eu|apac|global|us-gov|jp|au|ca)\.)?(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|openai|qwen|stability|writer)\./;
/** Suffixes for a version of a model: a date, `latest`, Bedrock's version, Vertex's `@version`. */
const version = /(?:[-@](?:20\d{2}-?\d{2}-?\d{2}|\d{2}-\d{2}|latest|default|00\d)|-v\d+(?::\d+)?|@\d+)$/;

/**
 * A model's name as block rules compare it: lower case, without invisible characters and white space, without a provider's, folder's or
 * vendor's prefix.
 */
export function bareModelName(written: string): string {
  const name = written
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s\p{Cf}\p{Cc}]+/gu, '')
    .replace(/\/+$/, '');
  return name.slice(name.lastIndexOf('/') + 1).replace(vendor, '');
}

/** The bare names of a requested model: its own, without a fine-tune's suffix, and without dates and versions. */
export function modelSpellings(requested: string): readonly string[] {
  let name = bareModelName(requested);
  const spellings = [name];
  const base = /^ft:([^:]+)/.exec(name)?.[1];
  if (base !== undefined) spellings.push((name = base));
  for (let bare = name.replace(version, ''); bare !== '' && bare !== name; bare = name.replace(version, '')) spellings.push((name = bare));
  return spellings;
}
