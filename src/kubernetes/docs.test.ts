import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { caVariables } from './egress.ts';
import { baseUrlVariables } from './pod-patch.ts';

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('the egress pages name the variables that are set', () => {
  expect(
    [...page('egress-base-url.md').matchAll(/^\| `(\w+)` \| `http:\/\/sluice\.llm(\S*)`/gm)].map(([, name, suffix]) => [name, suffix]),
  ).toEqual(Object.entries(baseUrlVariables));
  for (const name of caVariables) expect(page('egress-names.md')).toContain(`\`${name}\``);
});

test('the chart values that the pages set exist', () => {
  const known = new Set([...page('helm-values.md').matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name]) => name));
  const set = ['kubernetes.md', 'egress-base-url.md', 'egress-names.md', 'egress-sidecar.md'].flatMap((name) =>
    [...page(name).matchAll(/--set ([\w.]+)=/g)].map(([, value]) => value),
  );
  expect(set.length).toBeGreaterThan(4);
  expect(set.filter((value) => !known.has(value))).toEqual([]);
});
