import { z } from 'zod';
import { apiNames } from '../apis/registry.ts';
import { domains, taskTypes } from '../classify/types.ts';
import { ruleVariables } from './rules.ts';
import { policySchema } from './schema.ts';

/** The parts of a JSON Schema node that the reference uses. */
interface JsonNode {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonNode>>;
  readonly required?: readonly string[];
  readonly items?: JsonNode;
  readonly additionalProperties?: JsonNode | boolean;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonNode[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The meaning of each rule variable; the types are in `ruleVariables`. */
const variableMeanings: Readonly<Record<string, string>> = {
  'request.api': `${apiNames.slice(0, -1).join(', ')} or ${apiNames.at(-1)!}`,
  'request.operation': 'generate, embed, count or other',
  'request.model': 'The model that the app asked for',
  'request.stream': 'Whether the answer is to be streamed',
  'request.promptTokens': 'Estimated tokens of the prompt, tools and images included',
  'request.maxOutputTokens': 'Longest answer asked for, in tokens; 0 when not said',
  'request.messages': 'Messages',
  'request.userTurns': 'Messages of the user',
  'request.tools': 'Tools that are offered',
  'request.toolNames': 'Their names, 64 at most',
  'request.images': 'Images',
  'request.audio': 'Audio parts',
  'request.files': 'Files',
  'request.jsonOutput': 'none, object or schema',
  'request.reasoning': 'The reasoning effort as given; empty when absent',
  'request.system': 'System prompt; its first 32 Ki characters',
  'request.lastUser': 'Text of the last user message; its first 32 Ki characters',
  'request.words': 'Words of the last user message',
  'request.askTokens': 'Estimated tokens of the last user message; promptTokens has those of the whole request',
  'verdict.level': 'Expected level of knowledge that a good answer needs, 1 (everyday) to 5 (expert)',
  'verdict.tasks': "Probability of each task: verdict.tasks['code'] > 0.4; 0 below 0.05",
  'verdict.domains': 'The same for domains; each on its own, since a prompt may belong to several',
  'verdict.signals': "Share of the score by signal: 'tools' in verdict.signals",
  'verdict.tier': 'simple, standard or complex',
  'verdict.score': '0 (simple) to 1 (complex)',
  'verdict.confidence': '0 to 1',
  'verdict.unsure': 'Whether the score lies within the margin below a threshold, so that the safer tier was taken',
  'verdict.task': `${taskTypes.join(', ')}; as the caller said it where it is believed, else as classified`,
  'verdict.domain': domains.join(', '),
  'verdict.language': 'Language tag of the prompt; und when undetermined',
  'caller.workspace': 'The workspace',
  'caller.userTier': 'The x-sluice-user-tier header, lower case; empty when absent',
  'caller.quality': 'The x-sluice-quality header, lower case; empty when absent',
  'caller.task': 'The x-sluice-task header; empty when absent',
  'caller.session': 'The x-sluice-session header; empty when absent',
  'caller.headers': 'Headers of workspaces.ruleHeaders by lower-case name; empty when absent',
  provider: 'The provider that the request is for',
};

/** The JSON Schema of a policy file, as `schema/policy.schema.json` holds it. */
export function policyJsonSchema(): string {
  return `${JSON.stringify({ title: 'Sluice policy', ...z.toJSONSchema(policySchema, { io: 'input' }) }, null, 2)}\n`;
}

/** The Markdown reference for docs/policy.md: every setting, then every rule variable. */
export function policyReference(): string {
  const variables = Object.entries({ ...ruleVariables, provider: 'string' }).flatMap(([name, fields]) =>
    typeof fields === 'string'
      ? [[name, fields] as const]
      : Object.entries(fields).map(([field, type]) => [`${name}.${field}`, type] as const),
  );
  return [
    '### Settings',
    '',
    'A section takes every setting of `defaults`. NAME stands for a name that you choose. Links lead to the keys of a map.',
    '',
    ...settingLists(z.toJSONSchema(policySchema, { io: 'input' }) as JsonNode),
    '### Variables of rules',
    '',
    ...variables.map(([name, type]) => `- \`${name}\` (${type.replaceAll('<', '&lt;')}): ${variableMeanings[name] ?? ''}`),
    '',
  ].join('\n');
}

const settingsOfExperiments = 'experiments[].settings';

/** Settings with at least so many keys below them have a heading and a list of their own. */
const ownList = 5;

/** A list of the small settings, and one for each large one; those of `defaults` are split in the same way. */
function settingLists(root: JsonNode): string[] {
  const known = new Map<string, string>();
  const lists: string[] = [];
  const split = (title: string, node: JsonNode, path: string): void => {
    const small: string[] = [];
    const large: (() => void)[] = [];
    for (const [name, child] of Object.entries(node.properties ?? {})) {
      const at = path === '' ? name : `${path}.${name}`;
      const row = rowOf(node, name, at, known);
      const own: string[] = [];
      if (row.descend && at !== 'defaults') below(child, at, own, known);
      if (at === 'defaults' || own.length >= ownList) {
        small.push(row.text.replace(`- \`${at}\``, `- [\`${at}\`](#${slug(at)})`));
        large.push(() => (at === 'defaults' ? split(at, child, at) : lists.push(...list(at, own))));
      } else small.push(row.text, ...own);
    }
    lists.push(...list(title, small));
    for (const write of large) write();
  };
  split('At the top', root, '');
  return lists;
}

function list(title: string, rows: readonly string[]): string[] {
  return [`#### ${title}`, '', ...rows, ''];
}

/** The anchor of a heading that is a path. */
function slug(path: string): string {
  return path.toLowerCase().replace(/[^\w-]/g, '');
}

/** The line of one setting. Keys of a map that was described before are not repeated: `descend` is false then. */
function rowOf(node: JsonNode, name: string, at: string, known: Map<string, string>): { readonly text: string; readonly descend: boolean } {
  const child = node.properties![name]!;
  const needed = node.required?.includes(name) === true ? ', required' : '';
  // An experiment's settings come before those of defaults, which they repeat.
  const map = at === settingsOfExperiments ? null : mapIn(child);
  const shape =
    map === null
      ? null
      : JSON.stringify(map, (key, value: unknown) => (key === 'description' && typeof value === 'string' ? undefined : value));
  const twin = shape === null ? undefined : known.get(shape);
  if (shape !== null && twin === undefined) known.set(shape, at);
  const like = at === settingsOfExperiments ? 'defaults' : twin;
  const same = like === undefined ? '' : `; keys as in \`${like}\``;
  const meaning = child.description === undefined ? '' : `: ${linked(child.description)}`;
  const rest = `(${typeOnce(child, at, known)}${needed})${meaning}`;
  const before = rest.length < 60 ? undefined : known.get(rest);
  if (before === undefined) known.set(rest, at);
  const text = before === undefined ? rest : `(${typeOf(child)}${needed}): as \`${before}\``;
  return { text: `- \`${at}\` ${text}${same}`, descend: like === undefined };
}

/** The type of a setting. A long list of values that another setting has too is written once. */
function typeOnce(node: JsonNode, at: string, known: Map<string, string>): string {
  const type = typeOf(node);
  if (type.length < 80) return type;
  const first = known.get(type);
  if (first === undefined) known.set(type, at);
  return first === undefined ? type : `as \`${first}\``;
}

/** The map that a node is, or that its items are; null if there is none with several keys. */
function mapIn(node: JsonNode): JsonNode | null {
  const map = node.items ?? node;
  return Object.keys(map.properties ?? {}).length > 1 ? map : null;
}

function describe(node: JsonNode, path: string, rows: string[], known: Map<string, string>): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    // Sections repeat the settings of defaults.
    if (path === 'sections[]' && !['name', 'match'].includes(name)) continue;
    const at = `${path}.${name}`;
    const { text, descend } = rowOf(node, name, at, known);
    rows.push(text);
    if (descend) below(child, at, rows, known);
  }
}

function below(node: JsonNode, path: string, rows: string[], known: Map<string, string>): void {
  describe(node, path, rows, known);
  if (node.items !== undefined) below(node.items, `${path}[]`, rows, known);
  if (typeof node.additionalProperties === 'object') below(node.additionalProperties, `${path}.NAME`, rows, known);
}

function typeOf(node: JsonNode): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map(String).join(', ');
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(' or ');
  if (node.type === 'array') {
    const items = typeOf(node.items ?? {});
    // The settings that a delegation may list are all of a section's.
    if ((node.items?.enum?.length ?? 0) > 20) return 'list of settings';
    return ['map', 'string', 'number'].includes(items) ? `${items}s` : `list of ${items}`;
  }
  if (node.type === 'object') return 'map';
  const bounds = node.maximum === undefined || node.maximum === Number.MAX_SAFE_INTEGER ? '' : ` ${node.minimum ?? ''}..${node.maximum}`;
  return `${typeof node.type === 'object' ? node.type.join(' or ') : (node.type ?? 'any')}${bounds}`;
}

function linked(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll(/docs\/([\w-]+)\.md/g, '[$1]($1.md)');
}

const begin = '<!-- reference: generated by scripts/generate-schema.ts -->';

/** Regenerates the reference of a page, which is everything after a marker. Throws if the marker is missing. */
export function withReference(page: string): string {
  const at = page.indexOf(begin);
  if (at === -1) throw new Error(`the page has no ${begin}`);
  return `${page.slice(0, at + begin.length)}\n\n${policyReference()}`;
}
