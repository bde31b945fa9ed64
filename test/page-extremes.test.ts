import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Admin } from '../src/admin/listen.ts';
import { MemoryBudgetStore } from '../src/budgets/memory.ts';
import { loadCatalog } from '../src/catalog/index.ts';
import { PolicyHistory } from '../src/policy/history.ts';
import type { PolicySnapshot } from '../src/policy/types.ts';
import { RecentRecords } from '../src/record/recent.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { adminOf } from './support/admin.ts';
import { chromiumPath, launch } from './support/chromium.ts';
import { lastingLedger } from './support/ledger.ts';
import { month, monthGeneration } from './support/month.ts';
import { faults, shoot, until, wider } from './support/page.ts';
import { noTrials } from './support/trials.ts';

const models = 10_000;
/** As long as a name may be, with nothing to break it at, and one in a script that is written from the right. */
const longName = 'w'.repeat(250);
const rightToLeft = 'صوت-العملاء-والدعم-الفني';

let browser: Browser;
let folder: string;
let current: PolicySnapshot;
const close: (() => Promise<void>)[] = [];
let emptyUrl: string;
let largeUrl: string;

async function serve(name: string, records: readonly ExchangeRecord[]): Promise<string> {
  const ledger = await lastingLedger(join(folder, `${name}.db`));
  const recent = new RecentRecords();
  for (const record of records) {
    ledger.record(record);
    recent.record(record);
  }
  await vi.waitFor(() => expect(ledger.counts.written).toBe(records.length), { timeout: 60_000, interval: 50 });
  const history = new PolicyHistory();
  history.add(current);
  const admin: Admin = adminOf(() => current, {
    recent,
    ledger,
    history,
    trials: noTrials(current),
    token: null,
    budgets: new MemoryBudgetStore(),
  });
  close.push(async () => {
    await admin.close();
    await ledger.close();
  });
  return `http://${await admin.listen('127.0.0.1', 0)}`;
}

beforeAll(async () => {
  if (chromiumPath === null) return;
  folder = mkdtempSync(join(tmpdir(), 'page-extremes-'));
  current = monthGeneration(await loadCatalog());
  const records = (await month(current, models, Date.now())).map((record, at): ExchangeRecord => {
    const workspace = at % 3 === 0 ? longName : at % 3 === 1 ? rightToLeft : record.workspace;
    return { ...record, workspace, servedModel: `model-of-a-fine-tuning-run-with-a-long-name:${at}`, requestedModel: `asked-${at}` };
  });
  emptyUrl = await serve('empty', []);
  largeUrl = await serve('large', records);
  browser = await launch();
});

afterAll(async () => {
  if (chromiumPath === null) return;
  await browser.close();
  for (const one of close) await one();
  rmSync(folder, { recursive: true, force: true });
});

async function open(url: string, width: number, dark: boolean): Promise<{ readonly page: Page; readonly complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url, { timeout: 120_000 });
  return { page, complaints };
}

const sizes = [320, 768, 1_280].flatMap((width) => [false, true].map((dark) => [width, dark ? 'dark' : 'light'] as const));

describe.skipIf(chromiumPath === null)('the page at its extremes', () => {
  it.each(sizes)('without an exchange: says so, and fits (%s, %s)', async (width, theme) => {
    const { page, complaints } = await open(emptyUrl, width, theme === 'dark');
    await until(page, `document.getElementById('exchanges').textContent === '0'`);
    await shoot(page, `empty-${width}-${theme}`);
    expect(await page.locator('body').innerText()).not.toMatch(/NaN|undefined|null|Infinity/);
    expect(await faults(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it.each(sizes)('with 10,000 models and a name of 250 letters: fits (%s, %s)', async (width, theme) => {
    const { page, complaints } = await open(largeUrl, width, theme === 'dark');
    await until(
      page,
      `document.getElementById('exchanges').textContent === '10,000' && document.querySelectorAll('#decisions tbody tr').length === 20`,
    );
    await shoot(page, `large-${width}-${theme}`);
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(5_000);
    expect(await page.locator('#by-workspace').textContent()).toContain(rightToLeft);
    expect(await faults(page)).toEqual([]);
    await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
    await page.emulateMedia({ media: 'print' });
    await shoot(page, `print-${width}-${theme}`);
    // Paper is white in either theme, and has nothing to press.
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color')).toBe(
      'rgb(255, 255, 255)rgb(18, 32, 31)',
    );
    expect(
      await page.evaluate(
        `[...document.querySelectorAll('nav, #windows, #try, #filter, #pause')].filter((one) => one.getClientRects().length > 0).length`,
      ),
    ).toBe(0);
    expect(await wider(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
