/** A date, or `-latest`, at the end of a model name. */
const dated = /-(?:20\d{2}-\d{2}-\d{2}|20\d{6}|latest|\d{4})$/;

/**
 * A model's name independent of its host: the last part of its path, in lower case, without `@host`, a version after `:`, and a
 * quantisation's `-turbo`. `undated`: also without the release date.
 */
export function canonicalName(model: string, undated = false): string {
  const name = model
    .slice(model.lastIndexOf('/') + 1)
    .toLowerCase()
    .replace(/[@:].*$/, '')
    .replace(/^(meta-)?llama-/, 'llama-')
    .replace(/(b-instruct|b-inst)(-turbo)?$/, 'b-instruct');
  return undated ? name.replace(dated, '') : name;
}
