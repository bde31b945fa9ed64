import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from './compile.ts';
import { policyJsonSchema, policyReference, withReference } from './reference.ts';
import { policySchema } from './schema.ts';

const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');

test('schema/policy.schema.json is what scripts/generate-schema.ts makes', () => {
  expect(readFileSync(new URL('../../schema/policy.schema.json', import.meta.url), 'utf8')).toBe(policyJsonSchema());
});

test('the reference in docs/policy.md is what scripts/generate-schema.ts makes', () => {
  expect(page).toBe(withReference(page));
});

test('every setting and variable of the reference has a meaning', () => {
  const empty = policyReference()
    .split('\n')
    .filter((line) => line.startsWith('- `') && !/\): ./.test(line));
  expect(empty.filter((line) => !line.includes('.capabilities.'))).toEqual([]);
});

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
}

/** Every path of the schema, as the reference writes it. */
function pathsOf(node: Node, path: string): string[] {
  const below = Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [at, ...pathsOf(child, at)];
  });
  const items = node.items === undefined ? [] : pathsOf(node.items, `${path}[]`);
  return [...below, ...items, ...(typeof node.additionalProperties === 'object' ? pathsOf(node.additionalProperties, `${path}.NAME`) : [])];
}

test('every key of the schema has a line, or is below a line that says where its keys stand', () => {
  const rows = new Map(
    [...policyReference().matchAll(/^- \[?`([^`]+)`(?:\]\S+)? \(.*?(?:keys as in `([^`]+)`.*)?$/gm)].map(
      ([, path, twin]) => [path!, twin] as const,
    ),
  );
  // Sections take the settings of defaults, as the page says.
  const listed = (path: string): boolean => {
    const section = /^sections\[\]\.(?!name|match)(.*)$/.exec(path);
    if (section !== null) return listed(`defaults.${section[1]!}`);
    if (rows.has(path)) return true;
    const above = [...rows].find(([row, twin]) => twin !== undefined && (path.startsWith(`${row}.`) || path.startsWith(`${row}[].`)));
    if (above === undefined) return false;
    const [row, twin] = above;
    const rest = path.slice(row.length).replace(/^\[\]/, '');
    return listed(`${twin!}${rest}`) || listed(`${twin!}[]${rest}`);
  };
  const paths = pathsOf(JSON.parse(policyJsonSchema()) as Node, '');
  expect(paths.length).toBeGreaterThan(400);
  expect(paths.filter((path) => !listed(path))).toEqual([]);
});

test('the JSON Schema accepts and refuses as the schema does', () => {
  const schema = JSON.parse(policyJsonSchema()) as Parameters<typeof z.fromJSONSchema>[0];
  const fromJson = z.fromJSONSchema(schema);
  for (const value of [
    { version: 1 },
    { version: 2 },
    { version: 1, nope: 1 },
    { version: 1, defaults: { mode: 'off' } },
    { version: 1, defaults: { mode: 'on' } },
    { version: 1, sections: [{}] },
  ]) {
    expect(fromJson.safeParse(value).success).toBe(policySchema.safeParse(value).success);
  }
});

test('the examples of docs/policy.md are good policies', async () => {
  const catalog = await loadCatalog();
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
  expect(examples).toHaveLength(4);
  for (const text of examples) {
    const { generation, problems } = compilePolicy([{ name: 'example.yaml', text }], { catalog });
    expect(problems.filter(({ level }) => level === 'error')).toEqual([]);
    expect(generation).not.toBeNull();
  }
});
