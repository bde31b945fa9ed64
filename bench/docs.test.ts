import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filled, pages } from './docs.ts';
import { root } from './processes.ts';
import type { Taken } from './report.ts';

const published = JSON.parse(readFileSync(join(root, 'bench/results/published.json'), 'utf8')) as Record<string, Taken>;
const taken: Taken = { how: 'a quiet machine', command: 'npm run bench', tables: [{ header: ['x'], rows: [['1']] }], goals: [] };

describe('the pages with the bench’s figures', () => {
  it('take a result between its marks and leave all else', () => {
    const page = 'before\n<!-- bench:one -->\nold\n<!-- /bench -->\nbetween\n<!-- bench:two -->\nkept\n<!-- /bench -->\n';
    expect(filled(page, { one: taken })).toBe(
      'before\n<!-- bench:one -->\n\n`npm run bench`; a quiet machine\n\n| x |\n| --- |\n| 1 |\n\n<!-- /bench -->\nbetween\n<!-- bench:two -->\nkept\n<!-- /bench -->\n',
    );
  });

  it.each(pages)('%s says what was published', (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    expect(filled(text, published)).toBe(text);
  });

  it('have a place for every result', () => {
    const places = pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/<!-- bench:([\w-]+) -->/g)].map(([, id]) => id),
    );
    expect(Object.keys(published).filter((id) => !places.includes(id))).toEqual([]);
  });
});
