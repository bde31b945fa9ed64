import type { ApiName } from '../types.ts';
import { translateRequest } from '../translate.ts';
import type { TranslateOptions, TranslatedRequest } from '../translate.ts';

export type Options = Partial<TranslateOptions> & { readonly model: string };

export function translated(from: ApiName, to: ApiName, body: unknown, options: Options): TranslatedRequest {
  return translateRequest(from, to, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), {
    stream: false,
    drop: [],
    ...options,
  });
}

/** The translated body, parsed. */
export function translate(from: ApiName, to: ApiName, body: unknown, options: Options): Record<string, unknown> {
  const result = translated(from, to, body, options);
  if (!result.ok) throw new Error(JSON.stringify(result.unsupported));
  return JSON.parse(result.body.toString('utf8')) as Record<string, unknown>;
}

/** The paths that prevented the translation; empty if it succeeded. */
export function refused(from: ApiName, to: ApiName, body: unknown, options: Options): string[] {
  const result = translated(from, to, body, options);
  return result.ok ? [] : result.unsupported.map(({ path }) => path);
}
