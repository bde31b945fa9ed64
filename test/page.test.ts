import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Admin } from '../src/admin/listen.ts';
import { MemoryBudgetStore } from '../src/budgets/memory.ts';
import { rateCounter } from '../src/budgets/rate-charges.ts';
import { nano } from '../src/policy/budget-types.ts';
import { loadCatalog } from '../src/catalog/index.ts';
import { trialsAdmin, type TrialsAdmin } from '../src/experiments/admin.ts';
import { Rollout } from '../src/experiments/rollout.ts';
import { Trials } from '../src/experiments/trials.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { PolicyHistory } from '../src/policy/history.ts';
import type { PolicySnapshot } from '../src/policy/types.ts';
import { RecentRecords } from '../src/record/recent.ts';
import { fallbackTriggers } from '../src/policy/types.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { chromiumPath, launch } from './support/chromium.ts';
import { adminOf } from './support/admin.ts';
import { noTrials } from './support/trials.ts';
import { lastingLedger } from './support/ledger.ts';
import { month, monthGeneration, monthPolicy } from './support/month.ts';
import { faults, shoot, until } from './support/page.ts';

const day = 86_400_000;
const token = 'a-token-of-sixteen-or-more';

let folder: string;
let ledger: Ledger;
let browser: Browser;
let records: ExchangeRecord[];
let current: PolicySnapshot;
const admins: Admin[] = [];
let url: string;
let bareUrl: string;
let shadowUrl: string;
let recent: RecentRecords;

async function serve(
  withLedger: Ledger | null,
  held: RecentRecords,
  history: PolicyHistory,
  adminToken: string | null,
  trials: TrialsAdmin,
  budgets: MemoryBudgetStore,
): Promise<string> {
  const admin = adminOf(() => current, { recent: held, ledger: withLedger, history, trials, token: adminToken, budgets });
  admins.push(admin);
  return `http://${await admin.listen('127.0.0.1', 0)}`;
}

beforeAll(async () => {
  if (chromiumPath === null) return;
  folder = mkdtempSync(join(tmpdir(), 'page-'));
  const now = Date.now();
  const catalog = await loadCatalog();
  const history = new PolicyHistory();
  history.add(monthGeneration(catalog, monthPolicy.replace('simple: [gpt-5-nano]', 'simple: [gpt-5-mini]'), 1, now - 9 * day));
  current = monthGeneration(catalog, monthPolicy, 2, now - 2 * day);
  history.add(current);
  records = await month(current, 1_200, now);
  ledger = await lastingLedger(join(folder, 'ledger.db'));
  recent = new RecentRecords();
  const few = new RecentRecords();
  for (const record of records) {
    ledger.record(record);
    recent.record(record);
  }
  for (const record of records.slice(0, 3)) few.record(record);
  await vi.waitFor(() => expect(ledger.counts.written).toBe(records.length), { timeout: 10_000, interval: 50 });
  const [budget] = current.budgets;
  const budgets = new MemoryBudgetStore();
  const { start, end } = budget!.calendar.at(now);
  budgets.settle('one', [
    { counter: { id: 'one', budget: budget!.name, start, end, values: ['research'] }, reserved: 0, spent: 31 * nano, thresholds: [] },
  ]);
  const [limit] = current.rateLimits;
  for (const measure of limit!.measures) {
    const counter = rateCounter(
      limit!,
      measure,
      { workspace: 'research', countedAs: 'research', user: null, target: { provider: 'openai', model: 'gpt-5.1' }, tier: 'simple' },
      now,
    );
    for (let request = 0; request < 8; request++) budgets.reserve(`request-${request}`, [{ counter, amount: 1, ceiling: Infinity }]);
  }
  url = await serve(ledger, recent, history, null, trialsOf(records), budgets);
  bareUrl = await serve(null, few, new PolicyHistory(), token, noTrials(current), new MemoryBudgetStore());
  const watched = new RecentRecords();
  for (const [at, usd] of [0.5, 0.25, -0.1, null].entries())
    watched.record({
      ...records[at]!,
      mode: 'shadow',
      shadowSavings: usd === null ? { known: false, reason: 'usage' } : { known: true, usd },
    });
  shadowUrl = await serve(ledger, watched, history, null, trialsOf([]), budgets);
  browser = await launch();
});

afterAll(async () => {
  if (chromiumPath === null) return;
  await browser.close();
  for (const admin of admins) await admin.close();
  await ledger.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The policy's experiment with the records that took part in it. */
function trialsOf(taken: readonly ExchangeRecord[]): TrialsAdmin {
  const rollout = new Rollout({ stable: current, candidate: null, kept: null, rolledBack: [] }, () => undefined);
  const trials = new Trials({ rollout, stopped: [], onChange: () => undefined });
  trials.active(current);
  trials.status(current);
  for (const record of taken) trials.record(record);
  return trialsAdmin(rollout, trials, () => current);
}

interface Size {
  readonly width: number;
  readonly height: number;
  readonly dark: boolean;
}

const wide: Size = { width: 1200, height: 900, dark: false };
const textOf = (page: Page, id: string): Promise<string> => page.evaluate<string>(`document.getElementById('${id}').textContent`);

/** Opens the page; what the browser complains about, and what is asked of anybody else, is in `complaints`. */
async function open(at: string, size: Size, path = '/'): Promise<{ page: Page; complaints: string[] }> {
  const complaints: string[] = [];
  const context = await browser.newContext({ viewport: size, colorScheme: size.dark ? 'dark' : 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => !request.url().startsWith(at) && complaints.push(`asks ${request.url()}`));
  await page.goto(at + path, { timeout: 120_000 });
  return { page, complaints };
}

async function filled(page: Page): Promise<void> {
  await until(
    page,
    `document.querySelectorAll('#by-tier li').length > 0 && document.querySelectorAll('#decisions tbody tr').length === 20
    && document.querySelectorAll('#latency tbody tr').length === 4 && document.querySelectorAll('#generations details').length === 2`,
  );
}

/** The contrast of two of the page's colours by WCAG: what is left of them where the page is grey. */
const contrast = (page: Page, one: string, other: string): Promise<number> =>
  page.evaluate<number>(
    `[${JSON.stringify(one)}, ${JSON.stringify(other)}].map((name) => {
      const probe = document.body.appendChild(document.createElement('i'));
      probe.style.color = 'var(' + name + ')';
      const [red, green, blue] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
      probe.remove();
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    }).sort((a, b) => b - a).reduce((high, low) => high / low)`,
  );

describe.skipIf(chromiumPath === null)('the page in Chromium', () => {
  it.each<[string, Size]>([
    ['light', { width: 1440, height: 900, dark: false }],
    ['dark', { width: 1440, height: 900, dark: true }],
    ['narrow', { width: 320, height: 700, dark: false }],
    ['tablet', { width: 768, height: 1024, dark: false }],
    ['wall', { width: 3840, height: 2160, dark: true }],
  ])('shows the month, fits, and is accessible (%s)', async (name, size) => {
    const { page, complaints } = await open(url, size);
    await filled(page);
    const known = records.filter(({ savings }) => savings.known);
    const saved = known.reduce((sum, { savings }) => sum + (savings.known ? savings.usd : 0), 0);
    expect(await page.locator('#saved').textContent()).toBe(`$${saved.toFixed(2)}`);
    const unpriced = records.filter(({ cost }) => !cost.known).length;
    expect(unpriced).toBeGreaterThan(0);
    expect(await page.locator('#unknown').textContent()).toBe(`${((unpriced / records.length) * 100).toFixed(1)}%`);
    expect(await page.locator('#saved-note').textContent()).toContain(
      `${(((records.length - known.length) / records.length) * 100).toFixed(1)}% of the exchanges have no baseline`,
    );
    expect(await page.locator('#exchanges').textContent()).toBe('1,200');
    expect(await page.locator('#trend').getAttribute('aria-label')).toMatch(
      /^By day, \d{4}-\d{2}-\d{2} to \d{4}-\d{2}-\d{2}: cost \$[\d.]+, saved \$[\d.]+\./,
    );
    expect(await page.locator('#trend-table tbody tr').count()).toBeGreaterThan(28);
    expect(await page.locator('#by-workspace').textContent()).toContain('<b>mark</b>');
    expect(await page.locator('#by-workspace b').count()).toBe(0);
    expect(await page.locator('#fallbacks li').first().textContent()).toMatch(
      /openai\/gpt-5.* → openai\/gpt-5.*(rate limit reached|server error)/,
    );
    expect(await page.locator('#arms tbody tr').count()).toBe(2);
    expect(await page.locator('#experiments').textContent()).toMatch(/^nano-for-support running 50\.0% .*Evidence of harm/);
    expect(await page.locator('#budgets').textContent()).toMatch(/^research-month: research .*of \$40\.00 a month/);
    expect(await page.locator('#limits').textContent()).toMatch(/^each-team: research reached8 of 8 at once/);
    expect(await page.locator('#own-time').textContent()).toMatch(/ µs$/);
    // A drawn chart has more than one colour.
    for (const id of ['trend', 'tiers'])
      expect(
        await page.evaluate(`new Set(document.getElementById('${id}').getContext('2d').getImageData(0, 0, 600, 260).data).size`),
      ).toBeGreaterThan(8);
    expect(await contrast(page, '--cost-bar', '--accent')).toBeGreaterThan(1.8);
    expect(await contrast(page, '--cost-bar', '--card')).toBeGreaterThan(2.2);
    await shoot(page, name);
    await shoot(page, `${name}-top`, false);
    expect(complaints).toEqual([]);
    expect(await faults(page)).toEqual([]);
    await page.context().close();
  });

  it('is worked with the keyboard: window, theme that stays, a decision explained', async () => {
    const { page, complaints } = await open(url, { width: 1200, height: 900, dark: false });
    await filled(page);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the figures');
    await page.locator('input[value="30d"]').focus();
    await page.keyboard.press('ArrowLeft');
    await until(page, `document.getElementById('saved-note').textContent.startsWith('Last 7 days, ')`);
    await page.locator('#theme').focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
    await page.locator('#decisions button').first().focus();
    const id = await page.locator('#decisions button').first().getAttribute('data-id');
    await page.keyboard.press('Enter');
    await until(page, `document.querySelectorAll('#explain[open] .signals li').length > 0`);
    const shown = records.find((record) => record.id === id)!;
    expect(await page.locator('#explain-title').textContent()).toContain(shown.requestedModel!);
    expect(await page.locator('#explain-body').textContent()).toContain(id!);
    expect(await page.locator('#explain-text').textContent()).toContain(`Decision ${id!}`);
    expect(await page.locator('#explain-body .signals').textContent()).toContain('level of the question, 1 to 5: ');
    expect(await faults(page)).toEqual([]);
    await shoot(page, 'explain', false);
    await page.keyboard.press('Escape');
    await until(page, `!document.getElementById('explain').open`);
    expect(await page.evaluate('document.activeElement.dataset.id')).toBe(id);
    await page.reload();
    expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('shows decisions as they come, holds them while paused, and finds those that conditions pick', async () => {
    const { page, complaints } = await open(url, { width: 1200, height: 900, dark: false });
    await filled(page);
    const last = records.at(-1)!;
    recent.record({ ...last, id: '01990000-0000-7000-8000-000000000001', workspace: 'came-now' });
    await until(page, `document.querySelector('#decisions .workspace').textContent === 'came-now'`);
    await page.locator('#pause').click();
    recent.record({ ...last, id: '01990000-0000-7000-8000-000000000002', workspace: 'came-later' });
    await page.locator('#where').fill('tier=complex workspace=research');
    await page.keyboard.press('Enter');
    await until(
      page,
      `document.getElementById('live-note').textContent === 'From the ledger: tier=complex, workspace=research.' && document.querySelectorAll('#decisions tbody tr').length > 0`,
    );
    expect(new Set(await page.locator('#decisions .workspace').allTextContents())).toEqual(new Set(['research']));
    await page.locator('#where').fill('colour=red');
    await page.keyboard.press('Enter');
    await until(page, `document.getElementById('live-note').textContent.includes('"colour=red": there is no field colour')`);
    // The browser itself writes down that the server said 400.
    expect(complaints.filter((complaint) => !complaint.includes('400'))).toEqual([]);
    await page.context().close();
  });

  it('tries a prompt by the policy in force and by an edited one, and shows what changed between generations', async () => {
    const { page, complaints } = await open(url, { width: 1200, height: 900, dark: true });
    await filled(page);
    await page.locator('textarea[name=prompt]').fill('What is a CDN?');
    await page.locator('textarea[name=policy]').fill(monthPolicy.replace('gpt-5-nano', 'gpt-4.1-nano'));
    await page.locator('#try-form button[type=submit]').click();
    await until(page, `document.querySelectorAll('#tried .verdict').length === 2`);
    expect(await page.locator('#tried .served').allTextContents()).toEqual(['gpt-5.1 → gpt-5-nano', 'gpt-5.1 → gpt-4.1-nano']);
    expect(await page.locator('#tried .other h3').textContent()).toBe('By the edited policy: another model');
    await page.locator('#generations summary').first().click();
    expect(await page.locator('#generations ins').allTextContents()).toEqual(['+    simple: [gpt-5-nano]\n']);
    expect(await page.locator('#generations del').allTextContents()).toEqual(['-    simple: [gpt-5-mini]\n']);
    expect(await faults(page)).toEqual([]);
    await page.locator('#try').scrollIntoViewIfNeeded();
    if (process.env['SLUICE_SCREENSHOTS'] !== undefined)
      await page.locator('#try').screenshot({ path: join(process.env['SLUICE_SCREENSHOTS'], 'try.png') });
    await page.locator('textarea[name=policy]').fill('version: 1\nnonsense: true\n');
    await page.locator('#try-form button[type=submit]').click();
    await until(page, `document.querySelector('#tried .verdict .bad') !== null`);
    expect(await page.locator('#tried .verdict').last().textContent()).toContain('line 2, column 1');
    expect(await page.locator('#tried .verdict h3').last().textContent()).toBe('By the edited policy: this policy is not valid');
    await page.locator('#reset').click();
    expect(await page.locator('textarea[name=policy]').inputValue()).toBe(monthPolicy);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('says so where there is no ledger, and asks for the token where there is one', async () => {
    const { page } = await open(bareUrl, { width: 800, height: 800, dark: false });
    await until(page, `!document.getElementById('notice').hidden`);
    expect(await page.locator('#notice').textContent()).toContain('keeps no ledger');
    expect(await page.locator('#exchanges').textContent()).toBe('3');
    expect(await page.locator('#by-model').textContent()).toContain('needs a ledger');
    await page.locator('#try-form button[type=submit]').click();
    await until(page, `document.getElementById('tried').textContent.includes('token')`);
    await page.locator('input[name=token]').fill(token);
    await page.locator('#try-form button[type=submit]').click();
    await until(page, `document.querySelectorAll('#tried .served').length === 1`);
    await page.context().close();
  });

  it('says when the server is gone, and goes on when it is back', async () => {
    const { page } = await open(bareUrl, { width: 800, height: 800, dark: false });
    await until(page, `document.getElementById('state').textContent.startsWith('Policy generation')`);
    await page.context().setOffline(true);
    await until(page, `document.getElementById('state').textContent.startsWith('The server does not answer')`);
    await page.context().setOffline(false);
    await until(page, `document.getElementById('state').textContent.startsWith('Policy generation')`);
    await page.context().close();
  });
});

describe.skipIf(chromiumPath === null)('what is shown', () => {
  it('is in the URL: range, filters, conditions, the open decision; and a link shows the same', async () => {
    const { page, complaints } = await open(url, wide);
    await filled(page);
    await page.locator('#filters [name=workspace]').fill('research');
    await page.locator('#filters [name=tier]').selectOption('complex');
    await until(
      page,
      `document.querySelectorAll('#decisions tbody tr').length > 0 && document.getElementById('live-note').textContent.includes('tier=complex')`,
    );
    expect(new URL(page.url()).search).toBe('?workspace=research&tier=complex');
    expect(await textOf(page, 'scope-title')).toBe('Workspace research');
    const of = records.filter((record) => record.workspace === 'research' && record.decision?.tier === 'complex');
    await until(page, `document.getElementById('exchanges').textContent === '${of.length}'`);
    const days = records.map(({ time }) => time.slice(0, 10)).sort();
    const [from, to] = [days[0]!, days[Math.floor(days.length / 2)]!];
    await page.locator('#from').fill(from);
    await page.locator('#to').fill(to);
    await page.locator('#to').dispatchEvent('change');
    const within = of.filter(({ time }) => time.slice(0, 10) <= to);
    await until(page, `document.getElementById('exchanges').textContent === '${within.length}'`);
    expect(new URL(page.url()).searchParams.get('to')).toBe(to);
    expect(await textOf(page, 'saved-note')).toContain(`${from} to ${to}`);
    const shown = async (id: string): Promise<number> => Number((await textOf(page, id)).replace('−', '-').replace(/[$,]/g, ''));
    const compared = within.filter(({ savings }) => savings.known);
    const total = (of: (record: ExchangeRecord) => ExchangeRecord['cost']): number =>
      compared.reduce((usd, record) => usd + ((cost) => (cost.known ? cost.usd : 0))(of(record)), 0);
    expect(compared.length).toBeGreaterThan(0);
    expect(await shown('saved')).toBeCloseTo(
      total(({ savings }) => savings),
      2,
    );
    expect(await shown('cost')).toBeCloseTo(
      total(({ cost }) => cost),
      2,
    );
    expect(total(({ baseline }) => baseline) - total(({ cost }) => cost)).toBeCloseTo(
      total(({ savings }) => savings),
      9,
    );
    await page.locator('#decisions button').first().click();
    await until(page, `document.querySelectorAll('#explain[open] .signals li').length > 0`);
    const link = page.url();
    expect(new URL(link).searchParams.get('decision')).toMatch(/^[0-9a-f-]{36}$/);
    await shoot(page, 'workspace');
    expect(await faults(page)).toEqual([]);
    const again = await page.context().newPage();
    await again.goto(link);
    await until(
      again,
      `document.querySelector('#explain[open]') !== null && document.getElementById('exchanges').textContent === '${within.length}'`,
    );
    expect(await again.locator('#filters [name=workspace]').inputValue()).toBe('research');
    expect(await again.locator('#from').inputValue()).toBe(from);
    await again.keyboard.press('Escape');
    await until(again, `!location.search.includes('decision')`);
    await again.locator('#all').click();
    await until(again, `!location.search.includes('workspace') && document.getElementById('scope').hidden`);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('is compared with the period before', async () => {
    const { page } = await open(url, wide, '/?window=7d');
    await until(page, `/than before/.test(document.getElementById('cost-before').textContent)`);
    const end = Date.now();
    const spent = (from: number, until_: number): number =>
      records
        .filter(({ time, cost }) => Date.parse(time) >= from && Date.parse(time) < until_ && cost.known)
        .reduce((sum, { cost }) => sum + (cost.known ? cost.usd : 0), 0);
    // Sums begin on whole hours.
    const begin = end - 7 * day - ((end - 7 * day) % 3_600_000);
    const [now, then] = [spent(begin, end), spent(begin - (end - begin) - ((begin - (end - begin)) % 3_600_000), begin)];
    const share = Math.abs(now / then - 1) * 100;
    const told = /^([\d.]+)% (more|less) than before \(\$([\d.,]+)\)$/.exec(await textOf(page, 'cost-before'))!;
    expect(Number(told[1])).toBeCloseTo(share, 0);
    expect(told[2]).toBe(now > then ? 'more' : 'less');
    await page.context().close();
  });

  it('lists decisions by page, sorted, by any id, and gives them as files', async () => {
    const { page } = await open(url, wide);
    await filled(page);
    await page.locator('#filters [name=tier]').selectOption('simple');
    await until(
      page,
      `document.getElementById('live-note').textContent.includes('tier=simple') && !document.getElementById('older').disabled`,
    );
    const ids = (): Promise<string[]> =>
      page.evaluate<string[]>(`[...document.querySelectorAll('#decisions [data-id]')].map(({ dataset }) => dataset.id)`);
    const first = await ids();
    await page.locator('#older').click();
    await until(page, `document.getElementById('live-note').textContent.includes('page 2')`);
    await until(page, `document.querySelector('#decisions [data-id]').dataset.id !== '${first[0]!}'`);
    const second = await ids();
    const all = records
      .filter((record) => record.decision?.tier === 'simple')
      .sort((a, b) => (a.time < b.time ? 1 : -1))
      .map(({ id }) => id);
    expect([...first, ...second]).toEqual(all.slice(0, 40));
    await page.locator('#newer').click();
    await until(page, `document.querySelector('#decisions [data-id]').dataset.id === '${first[0]!}'`);
    await page.locator('#sort').selectOption('took');
    const took = new Map(records.map(({ id, timing }) => [id, timing.totalMs ?? -1]));
    expect(await ids()).toEqual([...first].sort((a, b) => took.get(b)! - took.get(a)!));
    const [file] = await Promise.all([page.waitForEvent('download'), page.locator('#export-csv').click()]);
    const lines = readFileSync(await file.path(), 'utf8')
      .trim()
      .split('\n');
    expect(lines[0]).toMatch(/^time,id,workspace,/);
    expect(lines.length - 1).toBe(all.length);
    await page.locator('#find-id').fill(all[3]!.slice(0, 30));
    await page.locator('#filter button').click();
    await until(page, `document.querySelectorAll('#decisions [data-id]').length === 1`);
    expect(await ids()).toEqual([all[3]]);
    await page.context().close();
  });

  it('says every reason in words', () => {
    const source = (path: string, name: string): string[] => {
      const text = readFileSync(new URL(`../src/${path}`, import.meta.url), 'utf8');
      const union = new RegExp(`type ${name} =([^;]*);`).exec(text)![1]!;
      return [...union.matchAll(/'([^']+)'/g)].map(([, reason]) => reason!);
    };
    const words = readFileSync(new URL('../src/admin/page/reasons.js', import.meta.url), 'utf8');
    const known = [...words.matchAll(/^ {2}'?([a-z-]+)'?: /gm)].map(([, reason]) => reason);
    expect(
      [
        ...source('route/types.ts', 'DecisionReason'),
        ...source('apis/types.ts', 'PassReason'),
        ...source('record/types.ts', 'OutcomeKind'),
        ...source('route/types.ts', 'Disqualification'),
        ...source('record/types.ts', 'CacheState'),
        ...source('catalog/types.ts', 'CostUnknown'),
        ...source('apis/types.ts', 'UsageUnknown'),
        ...fallbackTriggers,
        'unsupported-parameter',
      ].filter((reason) => !known.includes(reason)),
    ).toEqual([]);
  });

  it('marks figures as stale when the server is gone, until it is back', async () => {
    const { page } = await open(url, { width: 800, height: 800, dark: true });
    await filled(page);
    await page.context().setOffline(true);
    await until(page, `document.body.classList.contains('stale')`);
    expect(await textOf(page, 'state')).toBe('The server does not answer');
    expect(await textOf(page, 'stale')).toMatch(
      /^The server does not answer. What is below is of \d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} UTC\.$/,
    );
    await shoot(page, 'stale', false);
    expect(await faults(page)).toEqual([]);
    await page.context().setOffline(false);
    await until(page, `!document.body.classList.contains('stale') && document.getElementById('stale').hidden`);
    await page.context().close();
  });

  it('has the state of budgets in colour, the shadow, users, keys and the router where there are some', async () => {
    const { page } = await open(url, wide);
    await filled(page);
    await until(page, `document.querySelectorAll('#budgets li').length > 0 && document.getElementById('router').textContent !== ''`);
    expect(await page.locator('#budgets li').first().getAttribute('class')).toMatch(/^state (ok|soft|cheaper|used-up)$/);
    expect(await textOf(page, 'router')).toContain('No grade has come yet');
    expect(await page.locator('#shadow-card').isHidden()).toBe(true);
    expect(await page.evaluate(`document.getElementById('by-user-card').hidden`)).toBe(!records.some(({ user }) => user !== null));
    expect(await page.evaluate(`document.getElementById('by-key-card').hidden`)).toBe(!records.some(({ key }) => key !== undefined));
    await page.context().close();
  });
});

describe.skipIf(chromiumPath === null)('each view of the page', () => {
  it.each([
    ['tablet', { width: 768, height: 1024, dark: false }],
    ['narrow', { width: 320, height: 700, dark: true }],
  ] as const)(
    'fits and is accessible: a decision, a tried prompt, a workspace, no ledger, a server that is gone (%s)',
    async (name, size) => {
      const check = async (page: Page, view: string, within: string | null = null): Promise<void> => {
        await shoot(page, `${view}-${name}`, false);
        expect([view, await faults(page, within)]).toEqual([view, []]);
      };
      const { page } = await open(url, size, '/?workspace=research');
      await until(page, `document.querySelectorAll('#decisions tbody tr button').length > 0`);
      await check(page, 'workspace');
      await page.locator('#decisions tbody tr button').first().click();
      await until(page, `document.querySelector('dialog').open && document.querySelector('dialog').textContent.includes('The call')`);
      await check(page, 'explain', 'dialog');
      await page.keyboard.press('Escape');
      await page.locator('textarea[name=prompt]').fill('What is a CDN?');
      await page.locator('textarea[name=policy]').fill('version: 1\nnothing: here\n');
      await page.locator('#try-form button[type=submit]').click();
      await until(page, `document.getElementById('tried').textContent.includes('not valid')`);
      await page.locator('#tried').scrollIntoViewIfNeeded();
      await check(page, 'try', '#try');
      await page.context().setOffline(true);
      await until(page, `document.body.classList.contains('stale')`);
      await page.locator('#stale').scrollIntoViewIfNeeded();
      await check(page, 'stale');
      await page.context().close();
      const bare = await open(bareUrl, size);
      await until(bare.page, `!document.getElementById('notice').hidden`);
      await check(bare.page, 'no-ledger');
      await bare.page.context().close();
    },
  );
});

describe.skipIf(chromiumPath === null)('shadow mode’s card', () => {
  it.each([
    ['light', wide],
    ['tablet', { width: 768, height: 1024, dark: false }],
    ['narrow', { width: 320, height: 700, dark: true }],
  ] as const)('says what would have been saved, in none of the sums (%s)', async (name, size) => {
    const { page, complaints } = await open(shadowUrl, size);
    await until(page, `!document.getElementById('shadow-card').hidden`);
    expect(await textOf(page, 'shadow')).toBe('$0.6500 more');
    expect(await textOf(page, 'shadow-note')).toMatch(
      /^would have been saved since .* UTC by 3 exchanges that .*; of 1 more it is unknown\. It is in none/,
    );
    const saved = records.reduce((sum, { savings }) => sum + (savings.known ? savings.usd : 0), 0);
    expect(await textOf(page, 'saved')).toBe(`$${saved.toFixed(2)}`);
    await page.locator('#shadow-card').scrollIntoViewIfNeeded();
    await shoot(page, `shadow-${name}`, false);
    expect(complaints).toEqual([]);
    expect(await faults(page, '#shadow-card')).toEqual([]);
    await page.context().close();
  });

  it('says so when it would have cost more', async () => {
    const { page } = await open(shadowUrl, wide);
    const answer = await fetch(`${shadowUrl}/savings`);
    const totals = (await answer.json()) as { shadow: object };
    await page.route('**/savings', (route) => route.fulfill({ json: { ...totals, shadow: { usd: -0.4, known: 2, unknown: 0 } } }));
    await page.reload();
    await until(page, `!document.getElementById('shadow-card').hidden`);
    expect(await textOf(page, 'shadow')).toBe('$0.4000 less');
    await page.context().close();
  });
});

describe('the files of the page', () => {
  it('come with a policy that lets nothing of anybody else in, and name nothing outside', async () => {
    if (chromiumPath === null) return;
    const response = await fetch(url);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    const html = await response.text();
    expect(html).not.toMatch(/https?:|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=/);
    for (const [, path] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) expect((await fetch(url + path!)).status).toBe(200);
  });
});
