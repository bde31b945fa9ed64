import { stringify } from 'yaml';
import { z } from 'zod';
import { chartValues } from './values.ts';

/** A node of the JSON Schema, as far as it is used for the pages. */
interface JsonNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly JsonNode[];
  readonly properties?: Readonly<Record<string, JsonNode>>;
  readonly minimum?: number;
  readonly maximum?: number;
}

const made = 'Made by `npm run build` from src/kubernetes/chart/values.ts.';

function schema(): JsonNode {
  return z.toJSONSchema(chartValues, { io: 'input', target: 'draft-7' }) as JsonNode;
}

/** Generates helm/sluice/values.schema.json. Helm adds `global` to every chart's values. */
export function valuesSchema(): string {
  const root = schema();
  return `${JSON.stringify({ title: 'Values of the Sluice chart', ...root, properties: { ...root.properties, global: { type: 'object' } } }, null, 2)}\n`;
}

/** Generates helm/sluice/values.yaml: every value with its default and description. */
export function valuesYaml(): string {
  return `# ${made}\n${yamlOf(schema(), '').join('\n')}\n`;
}

function yamlOf(node: JsonNode, indent: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const comment = `${indent}# ${child.description ?? ''}`;
    if (isGroup(child)) return [comment, `${indent}${name}:`, ...yamlOf(child, `${indent}  `)];
    const text = stringify({ [name]: child.default }, { lineWidth: 0 }).trimEnd();
    return [comment, ...text.split('\n').map((line) => `${indent}${line}`)];
  });
}

/**
 * Generates helm/sluice/files/defaults.json: every value's path and default. `helm upgrade --reuse-values` replaces the new chart's values
 * by the old ones; the templates take missing values from here.
 */
export function valuesDefaults(): string {
  return `[\n${leavesOf(schema(), [])
    .map((leaf) => `  ${JSON.stringify(leaf)}`)
    .join(',\n')}\n]\n`;
}

function leavesOf(node: JsonNode, path: readonly string[]): { readonly path: readonly string[]; readonly value: unknown }[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    isGroup(child) ? leavesOf(child, [...path, name]) : [{ path: [...path, name], value: child.default }],
  );
}

/** Whether a node's properties are separate values, rather than a map defined by Kubernetes. */
function isGroup(node: JsonNode): boolean {
  return node.properties !== undefined && Object.keys(node.properties).length > 0;
}

/** Generates helm/sluice/README.md: the hand-written text, and the table of values. */
export function chartReadme(now: string): string {
  const heading = '## Values\n';
  const end = now.indexOf(heading);
  if (end === -1) throw new Error('the README of the chart has no heading "Values"');
  return `${now.slice(0, end)}${heading}
The chart refuses values that are not in this table.

${table()}
`;
}

function table(): string {
  const rows: string[] = [];
  collect(schema(), '', rows);
  return `| value | type | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}`;
}

function collect(node: JsonNode, path: string, rows: string[]): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    if (isGroup(child)) {
      collect(child, at, rows);
      continue;
    }
    const value = JSON.stringify(child.default);
    rows.push(
      `| \`${at}\` | ${typeOf(child)} | ${value === '""' ? 'empty' : `\`${value}\``} | ${(child.description ?? '').replaceAll('|', '\\|')} |`,
    );
  }
}

function typeOf(node: JsonNode): string {
  if (node.enum !== undefined) return node.enum.join(', ');
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(' or ');
  if (node.type === 'integer')
    return node.maximum === undefined || node.maximum === Number.MAX_SAFE_INTEGER ? 'integer' : `${node.minimum ?? ''}..${node.maximum}`;
  return node.type === 'array' ? 'list' : node.type === 'object' ? 'map' : (node.type ?? 'any');
}
