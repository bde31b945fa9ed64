import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../bench/processes.ts';
import { missedBy, tamperDrill, tamperSummary } from '../bench/tamper/drill.ts';

it('notices every kind of tampering with key and log, and none where there is none; docs/tamper-drill.md says so', () => {
  const report = tamperDrill();
  expect(report.untouched).toBe(0);
  expect(report.seen.length).toBeGreaterThanOrEqual(30);
  expect(report.seen.filter(({ noticed }) => !noticed.both).map(({ name }) => name)).toEqual([]);
  const page = readFileSync(join(root, 'docs/tamper-drill.md'), 'utf8');
  expect(page).toContain(tamperSummary(report));
  for (const { name, noticed } of report.seen) expect(page).toContain(`| ${name} | ${missedBy(noticed)} |`);
}, 60_000);
