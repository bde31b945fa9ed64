import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Admin } from '../src/admin/listen.ts';
import { MemoryBudgetStore } from '../src/budgets/memory.ts';
import { loadCatalog } from '../src/catalog/index.ts';
import { trialsAdmin } from '../src/experiments/admin.ts';
import { Rollout } from '../src/experiments/rollout.ts';
import { Trials } from '../src/experiments/trials.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { nano } from '../src/policy/budget-types.ts';
import { PolicyHistory } from '../src/policy/history.ts';
import type { PolicySnapshot } from '../src/policy/types.ts';
import { RecentRecords } from '../src/record/recent.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { LearningHub } from '../src/router/online/hub.ts';
import { OnlineLearner } from '../src/router/online/learner.ts';
import { adminOf } from './support/admin.ts';
import { chromiumPath, launch } from './support/chromium.ts';
import { gradeEvent, learningMark } from './support/grades.ts';
import { lastingLedger } from './support/ledger.ts';
import { month, monthGeneration, monthPolicy } from './support/month.ts';
import { faults, shoot, until } from './support/page.ts';

const day = 86_400_000;
const policyText = `${monthPolicy.replace(
  /^budgets:[^]*?(?=^limits:)/m,
  `budgets:
  - { name: used-up, per: [workspace], period: month, usd: 40, soft: { at: [50] }, hard: {} }
  - { name: cheaper, per: [workspace], period: month, usd: 40, soft: { at: [50] }, hard: { cheaper: simple, cheaperAt: 70 } }
  - { name: warned, per: [workspace], period: month, usd: 40, soft: { at: [50] } }
  - { name: within, per: [workspace], period: month, usd: 40 }
`,
)}rollout: { stages: [10%, 50%], requests: 200, minutes: 10 }
`;

let folder: string;
let browser: Browser;
let ledger: Ledger;
let hub: LearningHub;
let admin: Admin;
let url: string;
let records: ExchangeRecord[];
/** By what is special about each. */
let special: Readonly<
  Record<'negative' | 'blocked' | 'untouched' | 'unpriced' | 'retried' | 'refusedCandidates' | 'cached', ExchangeRecord>
>;

/** A month and the one before, with users and keys, and at the end one record of each kind that is explained differently. */
async function traffic(policy: PolicySnapshot, now: number): Promise<void> {
  const users = ['3f1c9a0b7d2e4f61', 'b2d4f6a8c0e1f3a5', null];
  const of = (all: readonly ExchangeRecord[]): ExchangeRecord[] =>
    all.map((record, at) => ({ ...record, user: users[at % 3]!, key: at % 2 === 0 ? '/run/keys/openai-a' : '/run/keys/openai-b' }));
  const before = of(await month(policy, 700, now - 30 * day));
  const own = of(await month(policy, 900, now));
  const base = own.find(({ decision, cost, cacheEntry }) => decision?.action === 'route' && cost.known && cacheEntry === null)!;
  const decision = base.decision!;
  const at = (index: number): Pick<ExchangeRecord, 'id' | 'time'> => ({
    id: `01990000-0000-7000-8000-00000000000${index}`,
    time: new Date(now - 1_000 + index).toISOString(),
  });
  const unknown = { known: false, reason: 'price' } as const;
  special = {
    retried: own.find(({ attempts }) => attempts.length > 1)!,
    cached: own.find(({ cacheEntry }) => cacheEntry !== null)!,
    negative: {
      ...base,
      ...at(1),
      requestedModel: 'gpt-5-nano',
      servedModel: 'gpt-5.1',
      decision: { ...decision, reason: 'rule', rule: 'legal-needs-the-best' },
      cost: { known: true, usd: 0.4 },
      baseline: { known: true, usd: 0.1 },
      savings: { known: true, usd: -0.3 },
    },
    blocked: {
      ...base,
      ...at(2),
      servedModel: null,
      answeredModel: null,
      outcome: 'blocked',
      status: 403,
      decision: {
        ...decision,
        action: 'block',
        reason: 'blocked',
        rule: 'us-ssn',
        block: { status: 403, message: 'No social security numbers.' },
      },
      attempts: [],
      usage: null,
      usageUnknown: 'error-status',
      cost: { known: true, usd: 0 },
      baseline: { known: false, reason: 'usage' },
      savings: { known: false, reason: 'usage' },
    },
    untouched: {
      ...base,
      ...at(3),
      api: null,
      passReason: 'unknown-path',
      verdict: null,
      decision: null,
      requestedModel: null,
      servedModel: null,
      answeredModel: null,
      usage: null,
      usageUnknown: 'stream-not-asked',
      cost: { known: false, reason: 'usage' },
      baseline: { known: false, reason: 'usage' },
      savings: { known: false, reason: 'usage' },
    },
    unpriced: { ...base, ...at(4), servedModel: 'in-house', cost: unknown, savings: unknown },
    refusedCandidates: {
      ...base,
      ...at(5),
      decision: {
        ...decision,
        candidates: decision.candidates.map((candidate, index) => ({
          ...candidate,
          chosen: false,
          disqualified: index === 0 ? 'context-window' : 'costlier-than-requested',
        })),
      },
    },
  };
  const { negative, blocked, untouched, unpriced, refusedCandidates } = special;
  records = [...before, ...own, negative, blocked, untouched, unpriced, refusedCandidates];
}

/** 30 days back are whole in the period: the page's begins on a whole hour. */
const inPeriod = ({ time }: ExchangeRecord): boolean => Date.parse(time) >= Math.floor((Date.now() - 30 * day) / 3_600_000) * 3_600_000;

beforeAll(async () => {
  if (chromiumPath === null) return;
  folder = mkdtempSync(join(tmpdir(), 'page-states-'));
  const now = Date.now();
  const catalog = await loadCatalog();
  const stable = monthGeneration(catalog, policyText, 1, now - 2 * day);
  const next = monthGeneration(catalog, policyText.replace('simple: [gpt-5-nano]', 'simple: [gpt-4.1-nano]'), 2, now - day);
  const history = new PolicyHistory();
  history.add(stable);
  history.add(next);
  await traffic(stable, now);
  ledger = await lastingLedger(join(folder, 'ledger.db'));
  const recent = new RecentRecords();
  for (const record of records) {
    ledger.record(record);
    recent.record(record);
  }
  await vi.waitFor(() => expect(ledger.counts.written).toBe(records.length), { timeout: 10_000, interval: 50 });
  const rollout = new Rollout({ stable, candidate: null, kept: null, rolledBack: [] }, () => undefined);
  rollout.take(next);
  const trials = new Trials({ rollout, stopped: [], onChange: () => undefined });
  trials.active(stable);
  trials.status(stable);
  for (const record of records) trials.record(record);
  admin = adminOf(() => stable, {
    recent,
    ledger,
    history,
    trials: trialsAdmin(rollout, trials, () => stable),
    budgets: spentBudgets(stable, now),
    learning: { learner: await taught(now), publish: () => undefined },
    policyStore: { current: () => stable, lastRefusal: () => ({ at: now, problems: refused }), sources: () => [] },
  });
  url = `http://${await admin.listen('127.0.0.1', 0)}`;
  browser = await launch();
});

const refused = [
  {
    level: 'error',
    code: 'unknown-key',
    file: 'policy.yaml',
    line: 3,
    column: 3,
    path: 'defaults.candidate',
    message: 'there is no setting called candidate here',
    fix: 'Did you mean candidates?',
  },
] as const;

/** Each budget as far spent as its name says. */
function spentBudgets(policy: PolicySnapshot, now: number): MemoryBudgetStore {
  const budgets = new MemoryBudgetStore();
  const spent: Readonly<Record<string, number>> = { 'used-up': 41, cheaper: 31, warned: 22, within: 3 };
  for (const { name, calendar } of policy.budgets) {
    const { start, end } = calendar.at(now);
    const counter = { id: name, budget: name, start, end, values: ['research'] };
    budgets.settle(name, [{ counter, reserved: 0, spent: spent[name]! * nano, thresholds: [] }]);
  }
  return budgets;
}

/** A learner that was told grades of two templates, one of them bad enough for an upgrade. */
async function taught(now: number): Promise<OnlineLearner> {
  const learner = new OnlineLearner();
  hub = await LearningHub.open({ learner, file: null, stream: null, onError: () => undefined });
  for (let grade = 0; grade < 12; grade++)
    for (const [template, model, score] of [
      ['5f0c21aa', 'openai/gpt-5-nano', 0.9],
      ['5f0c21aa', 'openai/gpt-5.1', 0.95],
      ['c81d9e03', 'openai/gpt-5-nano', 0.1],
    ] as const)
      hub.publish(
        gradeEvent(
          score,
          { upgradeMs: 3_600_000 },
          {
            workspace: 'research',
            decisionId: `${template}-${grade}`,
            model,
            requested: 'openai/gpt-5.1',
            source: 'judge',
            time: now,
            mark: { ...learningMark, template, pair: { weak: 'openai/gpt-5-nano', strong: 'openai/gpt-5.1' } },
          },
        ),
      );
  return learner;
}

afterAll(async () => {
  if (chromiumPath === null) return;
  await browser.close();
  await admin.close();
  await ledger.close();
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

const textOf = (page: Page, id: string): Promise<string> => page.evaluate<string>(`document.getElementById('${id}').innerText`);

async function open(path: string, width: number, dark: boolean): Promise<{ readonly page: Page; readonly complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width, height: 1_000 },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url + path, { timeout: 120_000 });
  return { page, complaints };
}

/** What the explanation of each says. */
const sentences: Readonly<Record<keyof typeof special, string>> = {
  negative: 'A rule of the policy matched ("legal-needs-the-best").',
  blocked: 'The policy refuses this request ("us-ssn"). The app was told: No social security numbers.',
  untouched: 'Passed untouched: its path is no call that Sluice knows.',
  unpriced: 'unknown: a price is missing',
  retried: 'rate limit reached',
  refusedCandidates: 'context window too small',
  cached: 'From the cache: hit, entry 0f3a9c21d4e8, 90 s old',
};

const sizes = [
  ['wide', 1_280, false],
  ['tablet', 768, true],
  ['narrow', 320, false],
] as const;

describe.skipIf(chromiumPath === null)('the page with everything on it', () => {
  it.each(sizes)('shows budgets by state, users, keys, what was learnt, a rollout and a refused edit (%s)', async (name, width, dark) => {
    const { page, complaints } = await open('/', width, dark);
    await until(
      page,
      `document.querySelectorAll('#budgets li').length === 4 && document.querySelectorAll('#router table tbody tr').length === 2
      && !document.getElementById('by-user-card').hidden && document.querySelectorAll('#rollout table').length === 1
      && document.querySelectorAll('#decisions tbody tr').length === 20`,
    );
    await shoot(page, `states-${name}`, true);
    const states = await page.evaluate<string[]>(`[...document.querySelectorAll('#budgets li')].map(({ innerText }) => innerText)`);
    for (const said of [/used-up: research\s+used up/, /cheaper: research\s+cheaper models/, /warned: research\s+warned/])
      expect(states.filter((state) => said.test(state))).toHaveLength(1);
    const colours = await page.evaluate<string[]>(
      `[...document.querySelectorAll('#budgets li')].map((line) => getComputedStyle(line, '::before').backgroundColor)`,
    );
    expect(new Set(colours).size).toBe(3);
    expect(await textOf(page, 'rollout')).toMatch(/answers 10\.0% of the requests, stage 1 of 2, /);
    expect(await textOf(page, 'refusal')).toContain('Did you mean candidates?');
    expect(await textOf(page, 'router')).toMatch(/5f0c21aa[^]*Upgrades in force: /);
    // Money by user and by key is all money: what names nobody has a line of its own.
    const own = records.filter(inPeriod);
    for (const id of ['by-user', 'by-key', 'by-model', 'by-workspace']) {
      const values = await page.evaluate<string[]>(
        `[...document.querySelectorAll('#${id} .value')].map(({ firstChild }) => firstChild.textContent)`,
      );
      const shown = values.filter((value) => value.startsWith('$')).reduce((sum, value) => sum + Number(value.replace(/[$,]/g, '')), 0);
      const spent = own.reduce((sum, { cost }) => sum + (cost.known ? cost.usd : 0), 0);
      expect([id, Math.abs(shown - spent) < 0.05]).toEqual([id, true]);
    }
    expect(await page.locator('#saved-before').textContent()).toMatch(/% (more|less) than before \(\$/);
    expect(complaints).toEqual([]);
    expect(await faults(page)).toEqual([]);
    await page.context().close();
  });

  it.each(Object.keys(sentences) as (keyof typeof special)[])('explains in words, in each size: %s', async (kind) => {
    const { page, complaints } = await open(`/?decision=${special[kind].id}`, 1_280, false);
    await until(page, `document.querySelector('#explain-text') !== null`);
    for (const [name, width, dark] of sizes) {
      await page.setViewportSize({ width, height: 1_000 });
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      await shoot(page, `explain-${kind}-${name}`, false);
      const text = await page.evaluate<string>(
        `[...document.querySelectorAll('#explain-body > :not(details)')].map(({ innerText }) => innerText).join('\\n')`,
      );
      const code = /context-window|costlier-than|unknown-path|stream-not-asked|error-status|undefined|null|NaN/.exec(text);
      expect([name, code?.[0]]).toEqual([name, undefined]);
      expect(text).toContain(sentences[kind]);
      expect([name, await faults(page, '#explain')]).toEqual([name, []]);
    }
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('says what is wrong with a filter, and that the cards of the last exchanges are not filtered', async () => {
    const { page } = await open('/?workspace=research', 1_280, false);
    await until(page, `document.getElementById('latency-note').textContent.includes('filters aside')`);
    await page.goto(`${url}/?status=abc`);
    await until(page, `document.getElementById('notice').textContent.includes('status is a number')`);
    expect(await page.evaluate(`document.body.classList.contains('stale')`)).toBe(false);
    await page.context().close();
  });
});
