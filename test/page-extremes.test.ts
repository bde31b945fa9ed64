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

const sizes = [320, 768, 1_280].flatMap((width) => [false, true].map((dark) => [width, dark ? 'dark' : 'light'] as const));

describe.skipIf(chromiumPath === null).each([
  ['without an exchange', 'empty'],
  ['with 10,000 models and a name of 250 letters', 'large'],
] as const)('the page %s', (_, name) => {
  let page: Page;
  const complaints: string[] = [];

  // Loaded once, then looked at in each size: a window is resized, and a theme changed, while the page is open.
  beforeAll(async () => {
    page = await (await browser.newContext({ reducedMotion: 'reduce' })).newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(name === 'empty' ? emptyUrl : largeUrl, { timeout: 120_000 });
    await until(
      page,
      name === 'empty'
        ? `document.getElementById('exchanges').textContent === '0'`
        : `document.getElementById('exchanges').textContent === '10,000' && document.querySelectorAll('#decisions tbody tr').length === 20`,
    );
  });

  afterAll(() => page.context().close());

  it.each(sizes)('fits (%s, %s)', async (width, theme) => {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ media: 'screen', colorScheme: theme });
    await shoot(page, `${name}-${width}-${theme}`);
    expect(await faults(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  if (name === 'empty')
    it('says so', async () => {
      expect(await page.locator('body').innerText()).not.toMatch(/NaN|undefined|null|Infinity/);
    });
  else {
    it('shows the largest, and as many as one can read', async () => {
      expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(5_000);
      expect(await page.locator('#by-workspace').textContent()).toContain(rightToLeft);
    });

    // Paper is white in either theme, and has nothing to press.
    it.each(sizes)('fits on paper (%s, %s)', async (width, theme) => {
      await page.setViewportSize({ width, height: 900 });
      await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`);
      await page.emulateMedia({ media: 'print', colorScheme: theme });
      await shoot(page, `print-${width}-${theme}`);
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
    });
  }
});
