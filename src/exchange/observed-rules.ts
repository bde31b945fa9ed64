import { classifyRequest } from '../classify/index.ts';
import { wordlessCall } from '../apis/other/wordless.ts';
import type { CallerContext, CompiledRule, PolicySnapshot, PolicySection, Provider } from '../policy/types.ts';
import { JsonCursor, ScanError } from '../apis/scan/scan.ts';
import { limits } from '../lib/limits.ts';

/** Whether a section has a block rule that may apply to an observed call: then its model must be known. */
export function mayBan({ mode, overrides, rules }: Pick<PolicySection, 'mode' | 'overrides' | 'rules'>): boolean {
  return mode === 'enabled' && [...overrides, ...rules].some(({ then }) => then.kind === 'block');
}

/** A form field named `model`, up to the end of its line. */
const formModel = /content-disposition:[^\r\n]*\bname="?model"?[ \t]*(?:;[^\r\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]*)/gi;

/**
 * All models named in a body that is not parsed otherwise: members `model` at the top of a JSON object or up to four levels below, form fields,
 * lines of a batch.
 */
export function modelsIn(body: Buffer): readonly string[] {
  const text = body.toString('utf8');
  const found = new Set<string>();
  try {
    collect(JSON.parse(text), found, 0);
  } catch {
    for (const [, name] of text.matchAll(formModel)) found.add(name!.trim());
    for (const [, name] of text.matchAll(/"model"\s*:\s*"((?:[^"\\]|\\.){1,256})"/g)) found.add(unescaped(name!));
  }
  return [...found].filter((name) => name !== '' && name.length <= limits.modelBytes).slice(0, mostModels);
}

const mostModels = 64;
/** How deep a member `model` counts: realtime sessions and batch requests have it below the top level. */
const deepest = 4;

function collect(value: unknown, found: Set<string>, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > deepest) return;
  for (const [key, inner] of Object.entries(value)) {
    const name = key.toLowerCase();
    if (name === 'model' && typeof inner === 'string') found.add(inner.replace(resourceName, '').trim());
    else if ((name === 'models' || name === 'fallbacks') && Array.isArray(inner))
      for (const one of inner as readonly unknown[]) collect({ model: one }, found, depth);
    else collect(inner, found, depth + 1);
  }
}

function unescaped(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

const formName = Buffer.from('name="model"');
const bareFormName = Buffer.from('name=model');
const blankLine = Buffer.from('\r\n\r\n');

/**
 * The model that a body names: at its top, as a member of a JSON object or a field of a form, or else, if `inside`, the only one named
 * below the top; null if none.
 */
export function modelNamed(body: Buffer, inside: boolean): string | null {
  const top = modelAtTop(body);
  if (top !== null || !inside || body.length > limits.namedInsideBytes) return top;
  const models = modelsIn(body);
  return models.length === 1 ? named(models[0]!) : null;
}

function modelAtTop(body: Buffer): string | null {
  if (body[0] === 0x2d) return named(formField(body, formName) ?? formField(body, bareFormName));
  const cursor = new JsonCursor(body);
  let model: string | null = null;
  try {
    if (!cursor.isObject()) return null;
    cursor.object((key) => {
      if (key === 'model' || key === 'modelId') model = cursor.stringOrNull();
      else cursor.skip();
    });
  } catch (error) {
    if (!(error instanceof ScanError)) throw error;
  }
  return named(model);
}

/** Google's names of models as resources. */
const resourceName = /^(?:publishers\/[^/]+\/)?models\//;

function named(name: string | null): string | null {
  const bare = name?.replace(resourceName, '') ?? '';
  return bare === '' || Buffer.byteLength(bare) > limits.modelBytes ? null : bare;
}

function formField(body: Buffer, name: Buffer): string | null {
  const at = body.indexOf(name);
  const start = at === -1 ? -1 : body.indexOf(blankLine, at);
  if (start === -1) return null;
  const from = start + blankLine.length;
  const line = body.toString('utf8', from, Math.min(body.length, from + limits.modelBytes + 1));
  const end = line.search(/[\r\n]/);
  return end === -1 ? null : line.slice(0, end).trim();
}

/** The model in a path's query, as realtime connections have; null if there is none. */
export function modelInQuery(path: string): string | null {
  const query = path.indexOf('?');
  return query === -1 ? null : new URLSearchParams(path.slice(query + 1)).get('model');
}

/** The facts of a call that rules match: its model, and no text. */
export interface ObservedCallFacts {
  readonly generation: Pick<PolicySnapshot, 'catalog'>;
  readonly section: Pick<PolicySection, 'overrides' | 'rules' | 'classifier'>;
  readonly provider: Provider;
  readonly caller: CallerContext;
}

/**
 * The block rule that applies to a model of an observed call; null if none. Overrides and rules are checked in the policy's order; the
 * first `keep` or `block` wins.
 */
export function banOf({ generation, section, provider, caller }: ObservedCallFacts, model: string): CompiledRule | null {
  const exchange = wordlessCall(model);
  const known = generation.catalog.lookup(provider.catalogProvider, provider.deployments.get(model) ?? model);
  const input = {
    exchange,
    verdict: classifyRequest(exchange, section.classifier),
    caller,
    provider: provider.name,
    knownAs: [provider.deployments.get(model) ?? model, ...(known === null ? [] : [known.model])],
  };
  for (const rule of [...section.overrides, ...section.rules]) {
    const { kind } = rule.then;
    if ((kind !== 'block' && kind !== 'keep') || (kind === 'keep' && rule.hinted) || !rule.matches(input)) continue;
    return kind === 'block' ? rule : null;
  }
  return null;
}
