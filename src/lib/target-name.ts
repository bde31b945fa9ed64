import { limits } from './limits.ts';

const names = new Map<string, Map<string, string>>();
let size = 0;

/** `provider/model`: each pair is joined once, since most requests name the same few. Bounded: when it is full, it begins again. */
export function targetName(provider: string, model: string): string {
  const known = names.get(provider)?.get(model);
  if (known !== undefined) return known;
  if (size >= limits.targetNames) {
    names.clear();
    size = 0;
  }
  const name = `${provider}/${model}`;
  let models = names.get(provider);
  if (models === undefined) names.set(provider, (models = new Map<string, string>()));
  models.set(model, name);
  size++;
  return name;
}
