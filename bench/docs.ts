import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './processes.ts';
import { takenText, type Taken } from './report.ts';

export const pages = ['docs/speed.md', 'docs/peers.md'];
const block = /(<!-- bench:([\w-]+) -->\n)[^]*?(<!-- \/bench -->)/g;

/** A page with each block between `<!-- bench:PART -->` and `<!-- /bench -->` replaced by what that part found; others stay. */
export function filled(page: string, results: Readonly<Record<string, Taken>>): string {
  return page.replace(block, (whole, begin: string, id: string, end: string) => {
    const taken = results[id];
    return taken === undefined ? whole : `${begin}\n${takenText(taken)}\n\n${end}`;
  });
}

/** Writes published results into the pages. */
export function fillDocs(results: Readonly<Record<string, Taken>>): void {
  for (const page of pages) {
    const path = join(root, page);
    writeFileSync(path, filled(readFileSync(path, 'utf8'), results));
  }
}
