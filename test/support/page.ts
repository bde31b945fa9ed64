import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, vi } from 'vitest';
import { messageOf } from '../../src/lib/message-of.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Waits for an expression to hold; a failure says what the page says of its state. (Playwright's own way evaluates in the page, which the
 * page's policy forbids.)
 */
export async function until(page: Page, expression: string): Promise<void> {
  await vi
    .waitFor(async () => expect(await page.evaluate(`Boolean(${expression})`), expression).toBe(true), { timeout: 120_000, interval: 50 })
    .catch(async (error: unknown) => {
      throw new Error(`${messageOf(error)}\nthe page says: ${await page.evaluate<string>(said)}`, { cause: error });
    });
}

/** What the page says of itself, where it has such a place. */
const said = `['state', 'stale', 'notice', 'exchanges', 'live-note'].map((id) => document.getElementById(id)).filter((at) => at !== null && !at.hidden).map((at) => at.id + ': ' + at.textContent.trim()).join(' | ') + ' | hidden: ' + document.hidden + ' | rows: ' + document.querySelectorAll('#decisions tbody tr').length`;

/**
 * What axe finds, by rule, with the places, and what does not fit. `within`: the selector of what is new since the rest of the page was
 * looked at; axe looks there alone, because the whole page takes it seconds.
 */
export async function faults(page: Page, within: string | null = null): Promise<string[]> {
  // As a string to the devtools: the page's own policy lets no script in.
  await page.evaluate(axe);
  const violations = await page.evaluate<string[]>(
    `axe.run(${within === null ? 'document' : `document.querySelector('${within}')`}, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ' ' + target + ': ' + failureSummary)))`,
  );
  return [...violations, ...(await wider(page)), ...(await cut(page))];
}

/** What reaches beyond the right edge of the page. */
export const wider = (page: Page): Promise<string[]> =>
  page.evaluate(
    `document.documentElement.scrollWidth <= innerWidth ? [] : ['the page is wider than its window', ...[...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > innerWidth + 1).map((element) => 'wide ' + element.tagName + ' ' + element.id + ' ' + element.className)]`,
  );

/** Tables that are partly visible only by horizontal scrolling. */
const cut = (page: Page): Promise<string[]> =>
  page.evaluate(
    `[...document.querySelectorAll('table')].filter((table) => table.getClientRects().length > 0 && table.scrollWidth > table.parentElement.clientWidth + 1).map((table) => 'cut ' + table.parentElement.id + ' ' + table.scrollWidth + ' > ' + table.parentElement.clientWidth)`,
  );

/** A picture of the page, or of what of it is in its window, where $SLUICE_SCREENSHOTS names a folder for them. */
export async function shoot(page: Page, name: string, whole = true): Promise<void> {
  const to = process.env['SLUICE_SCREENSHOTS'];
  if (to === undefined) return;
  mkdirSync(to, { recursive: true });
  await page.screenshot({ path: join(to, `${name}.png`), fullPage: whole });
}
