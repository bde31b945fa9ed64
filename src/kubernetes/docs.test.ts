import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { caVariables } from './egress.ts';
import { baseUrlVariables } from './pod-patch.ts';

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('the page on egress names the variables that are set', () => {
  expect(
    [...page('egress.md').matchAll(/^\| `(\w+)` +\| `http:\/\/sluice\.llm(\S*)`/gm)].map(([, name, suffix]) => [name, suffix]),
  ).toEqual(Object.entries(baseUrlVariables));
  for (const name of caVariables) expect(page('egress.md')).toContain(`\`${name}\``);
});

test('the chart values that the pages set exist', () => {
  const known = new Set([...page('../helm/sluice/README.md').matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name]) => name));
  const set = ['kubernetes.md', 'egress.md', 'egress-mesh.md'].flatMap((name) =>
    [...page(name).matchAll(/--set ([\w.]+)=/g)].map(([, value]) => value),
  );
  expect(set.length).toBeGreaterThan(4);
  expect(set.filter((value) => !known.has(value))).toEqual([]);
});
