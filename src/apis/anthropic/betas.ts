import type { Parameter } from '../types.ts';

/** Betas that only some models take; others are for all, or belong to a member of the body. */
const ofModels = /^(context-1m)-\d{4}-\d{2}-\d{2}$/;

/** The betas that an app asks for in a header and that a model may refuse, as parameters. */
export function betaParameters(headers: readonly (readonly [string, string])[]): readonly Parameter[] {
  const names = new Set<string>();
  for (const [header, value] of headers) {
    if (header !== 'anthropic-beta') continue;
    for (const beta of value.split(',')) {
      const name = ofModels.exec(beta.trim())?.[1];
      if (name !== undefined) names.add(name);
    }
  }
  return [...names].map((name) => ({ name: `anthropic-beta.${name}`, value: true }));
}
