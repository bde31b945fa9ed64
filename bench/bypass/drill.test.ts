import { expect, it } from 'vitest';
import { rowOf, type Tried } from './drill.ts';

const tried = (kind: string, more: Partial<Tried>): Tried => ({
  way: { kind, what: kind } as Tried['way'],
  status: 403,
  through: false,
  sent: false,
  recorded: true,
  ...more,
});

it('a row of the page names the kinds of what got through', () => {
  const all = [tried('path', {}), tried('path', { status: 503 }), tried('caller', { status: 200, sent: true })];
  expect(rowOf('a mask', all)).toBe('| a mask | path 2, caller 1 | 3 | 0 | 1 | 1 | 1 | 0 |');
  expect(rowOf('a block', [...all, tried('path', { status: 200, sent: true, through: true, recorded: false })])).toBe(
    '| a block | path 3, caller 1 | 4 | **path 1** | 1 | 1 | 1 | 1 |',
  );
});
