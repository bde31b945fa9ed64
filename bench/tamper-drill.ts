import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './processes.ts';
import { tamperDrill, tamperSummary, tamperTable } from './tamper/drill.ts';

/**
 * Tampers with a ledger in every way that we know, and writes what `ledger verify` notices into docs/tamper-drill.md.
 * Usage: npm run drill -- tamper
 */
const report = tamperDrill();
const page = join(root, 'docs/tamper-drill.md');
const table = `<!-- drill -->\n\n> ${tamperSummary(report)}\n\n${tamperTable(report)}\n\n<!-- /drill -->`;
writeFileSync(
  page,
  readFileSync(page, 'utf8').replace(/<!-- drill -->[^]*<!-- \/drill -->/, () => table),
);
process.stdout.write(
  `${report.seen.map(({ name, noticed, says }) => `${noticed.both ? '✓' : '✗'} ${name}: ${says ?? 'unnoticed'}`).join('\n')}\n${tamperSummary(report)}\n`,
);
process.exit(report.untouched === 0 && report.seen.every(({ noticed }) => noticed.both) ? 0 : 1);
