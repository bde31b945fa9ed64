import { expect, it } from 'vitest';
import { neutralDrops } from '../../apis/translate.ts';
import { compileFallback } from './fallback.ts';

it.each([
  ['nothing', {}, neutralDrops],
  ['neutral', { drop: ['neutral'] }, neutralDrops],
  ['an empty list', { drop: [] }, []],
  ['a name beside neutral', { drop: ['neutral', 'seed'] }, [...neutralDrops, 'seed']],
])('a policy that says %s of drop', (_what, document, drop) => expect(compileFallback(document, () => null)?.drop).toEqual(drop));
