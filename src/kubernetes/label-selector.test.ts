import { expect, it } from 'vitest';
import { meetsSelector } from './label-selector.ts';

it.each<[string, Readonly<Record<string, string>>, boolean | null]>([
  ['sluice.dev/policy=true', { 'sluice.dev/policy': 'true' }, true],
  ['sluice.dev/policy==true', { 'sluice.dev/policy': 'true' }, true],
  ['sluice.dev/policy=true', { 'sluice.dev/policy': 'false' }, false],
  ['sluice.dev/policy=true', {}, false],
  ['a=b, c!=d', { a: 'b' }, true],
  ['a=b,c!=d', { a: 'b', c: 'd' }, false],
  ['a', { a: '' }, true],
  ['!a', { a: '' }, false],
  ['!a', {}, true],
  ['constructor', {}, false],
  ['a in (b)', { a: 'b' }, null],
  ['a=b,c in (d)', {}, null],
])('%s of %j: %s', (selector, labels, met) => {
  expect(meetsSelector(selector, labels)).toBe(met);
});
