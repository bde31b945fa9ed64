import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import { alerts, rulesYaml } from '../src/monitoring/alerts.ts';
import { dashboardJson, dashboards } from '../src/monitoring/dashboards.ts';
import type { MetricSpec } from '../src/record/metric-specs/spec.ts';
import { metricTable } from '../src/record/metric-table.ts';
import { prometheusBinary, promtool, TestPrometheus } from './support/prometheus.ts';
import { hangs, resets, ScriptedProvider, status, well } from './support/scripted-provider.ts';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const names = [...new Set(alerts.map(({ name }) => name))];

describe('what is deployed beside Sluice', () => {
  it('is what its tables make', () => {
    expect(read('helm/sluice/files/alerts.yaml')).toBe(rulesYaml());
    for (const dashboard of dashboards) {
      expect(read(`helm/sluice/files/dashboards/${dashboard.name}.json`)).toBe(dashboardJson(dashboard));
    }
    expect(readdirSync(new URL('../helm/sluice/files/dashboards', import.meta.url)).sort()).toEqual(
      dashboards.map(({ name }) => `${name}.json`).sort(),
    );
  });

  it('asks only for metrics and labels that exist', () => {
    const specs = new Map(Object.values(metricTable as Readonly<Record<string, MetricSpec>>).map((spec) => [spec.name, spec]));
    const wrong: string[] = [];
    const queries = [
      ...dashboards.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries.map(([query]) => query))),
      ...(parse(rulesYaml()) as { groups: { rules: { expr: string }[] }[] }).groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
    ];
    for (const query of queries) {
      for (const [, name, , matchers = ''] of query.matchAll(/\b((?:llm_proxy|gen_ai)_\w+)(\{([^}]*)\})?/g)) {
        const spec = specs.get(name!.replace(/_(?:bucket|count|sum)$/, '')) ?? specs.get(name!);
        if (spec === undefined) wrong.push(name!);
        else
          for (const [, label] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
            if (!['namespace', 'le', ...spec.labels].includes(label!)) wrong.push(`${name!}{${label!}}`);
      }
    }
    expect(queries.length).toBeGreaterThan(80);
    expect(wrong).toEqual([]);
  });

  it('scrapes what the alerts ask for: Sluice, and the Envoy that says when it went on without it', () => {
    const { scrape_configs: jobs } = parse(read('deploy/prometheus/prometheus.yaml')) as {
      readonly scrape_configs: readonly {
        readonly metrics_path?: string;
        readonly static_configs: readonly { readonly targets: readonly string[] }[];
      }[];
    };
    expect(jobs.map(({ metrics_path: path = '/metrics', static_configs: [first] }) => [first!.targets[0], path])).toEqual([
      ['127.0.0.1:9901', '/metrics'],
      ['127.0.0.1:9902', '/stats/prometheus'],
    ]);
    expect(alerts.some(({ expr }) => expr.includes('envoy_http_ext_proc'))).toBe(true);
  });

  it('leads from every alert to its runbook by an absolute URL, which can be set', () => {
    type Rule = { readonly alert?: string; readonly annotations?: { readonly runbook_url: string } };
    const urls = (text: string): (readonly [string, string])[] =>
      (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) =>
        rules.flatMap(({ alert, annotations }) => (alert === undefined ? [] : [[alert, annotations!.runbook_url] as const])),
      );
    for (const [alert, url] of urls(rulesYaml())) expect(url).toBe(`http://127.0.0.1:9901/runbooks/${alert}`);
    for (const [alert, url] of urls(rulesYaml('https://docs.example.com/sluice/')))
      expect(url).toBe(`https://docs.example.com/sluice/${alert}`);
  });

  it('has a runbook for every alert, and none for others', () => {
    const [index, ...sections] = read('docs/runbooks.md').split(/^(?=## )/m);
    expect(sections.map((text) => /^## (\w+)\n/.exec(text)?.[1]).sort()).toEqual([...names].sort());
    for (const text of sections) expect(text).toMatch(/^## \w+\n\n[A-Z][^]+\n\n\*\*Look\*\*\n\n- [^]+\n\n\*\*Do\*\*\n\n- /);
    for (const name of names) expect(index).toContain(`[${name}](#${name.toLowerCase()})`);
  });

  it('has for every alert a case in which it fires and one in which it does not', () => {
    type Case = { readonly alertname: string; readonly exp_alerts: readonly object[] };
    const cases = ['tests.yaml', 'tests-week.yaml'].flatMap((file) =>
      (parse(read(`deploy/prometheus/${file}`)) as { tests: { alert_rule_test: Case[] }[] }).tests.flatMap(
        ({ alert_rule_test: list }) => list,
      ),
    );
    for (const name of names) {
      expect(
        cases.some(({ alertname, exp_alerts: expected }) => alertname === name && expected.length > 0),
        `${name} fires`,
      ).toBe(true);
      expect(
        cases.some(({ alertname, exp_alerts: expected }) => alertname === name && expected.length === 0),
        `${name} is quiet`,
      ).toBe(true);
    }
  });
});

describe.skipIf(promtool === null)('the rules, by promtool', () => {
  const run = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(promtool!, args, { cwd: new URL('../deploy/prometheus', import.meta.url) })).stdout;

  it('are good, and so is the configuration that loads them', async () => {
    expect(await run('check', 'rules', '../../helm/sluice/files/alerts.yaml')).toContain('SUCCESS');
    expect(await run('check', 'config', 'prometheus.yaml')).toContain('SUCCESS');
  });

  it.each(['tests.yaml', 'tests-week.yaml'])('fire when they should and only then: %s', async (file) => {
    expect(await run('test', 'rules', file)).toContain('SUCCESS');
  });
});

const policyFor = (hook: string): string => `
version: 1
workspaces: { known: [team-a] }
defaults:
  candidates:
    simple: [openai/gpt-4.1-nano]
    standard: [openai/gpt-4.1-mini]
    complex: [openai/gpt-4.1]
  fallback: { tiers: { simple: [openai/gpt-4.1-mini] }, attemptSeconds: 1 }
sections:
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
  - { name: plain, match: { workspace: [plain] }, fallback: { attempts: 1 } }
webhooks: { ops: { url: "${hook}" } }
budgets:
  - { name: told, period: day, usd: 0.0001, soft: { at: [1], notify: [ops] } }
  - { name: none-left, match: { workspace: [poor] }, period: day, usd: 0.0000001, hard: {} }
limits:
  - { name: one-a-day, match: { workspace: [cached] }, requests: { day: 1 } }
`;

describe.skipIf(prometheusBinary === null)('a real Prometheus that scrapes a real run', () => {
  it('has data for every panel, evaluates every rule, and says that Envoy went on without Sluice', async () => {
    const hooks = createServer((_request, response) => response.end('ok'));
    await new Promise<void>((resolve) => hooks.listen(0, '127.0.0.1', resolve));
    const hook = `http://127.0.0.1:${(hooks.address() as AddressInfo).port}/`;
    const provider = new ScriptedProvider();
    const stack = new Stack({ policy: policyFor(hook), endpoint: await provider.listen(), messageTimeout: '10s' });
    const prometheus = new TestPrometheus();
    try {
      await stack.start();
      // Recording rules run each minute, which is too long to wait here.
      await prometheus.start(
        {
          sluice: { address: new URL(stack.adminUrl).host, path: '/metrics' },
          envoy: { address: new URL(stack.envoyAdminUrl).host, path: '/stats/prometheus' },
        },
        rulesYaml().replaceAll('interval: 1m', 'interval: 1s'),
      );
      const ask = async (workspace: string, content: string, extra: object = {}): Promise<Response> => {
        const response = await fetch(`${stack.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-sluice-workspace': workspace },
          body: JSON.stringify({ model: 'gpt-4.1', messages: [{ role: 'user', content }], ...extra }),
        });
        await response.text().catch(() => '');
        return response;
      };
      const round = async (): Promise<void> => {
        provider.behaviour = well;
        const decision = (await ask('team-a', 'What is a CDN?')).headers.get('x-sluice-decision');
        await fetch(`${stack.url}/v1/feedback`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-sluice-workspace': 'team-a' },
          body: JSON.stringify({ decision, score: 0.8 }),
        }).then((response) => response.text());
        await ask('cached', 'What is DNS?');
        await ask('cached', 'What is DNS?');
        await ask('poor', 'What is DNS?');
        await ask('cached', 'What is IP?');
        await ask('team-a', 'Count to three.', { stream: true });
        await fetch(`${stack.url}/v1/files`).then((response) => response.text());
        provider.behaviour = (got, response, answer) => (got.model === 'gpt-4.1-nano' ? resets : well)(got, response, answer);
        await ask('team-a', 'What is TCP?');
        provider.behaviour = status(500);
        await ask('team-a', 'What is UDP?');
        await ask('plain', 'What is UDP?');
      };
      // It takes Prometheus some seconds to begin; a counter that is there before has no rate.
      await expect.poll(async () => (await prometheus.query('up == 1')).length, { timeout: 30_000, interval: 200 }).toBe(2);
      for (let rounds = 0; rounds < 3; rounds++) {
        await round();
        await prometheus.scraped();
      }
      provider.behaviour = status(429, { error: { message: 'slow down' } }, { 'retry-after': '600' });
      await ask('team-a', 'What is BGP?');
      provider.behaviour = hangs;
      await prometheus.scraped();

      const fill = (expr: string): string =>
        expr.replaceAll('$__rate_interval', '30s').replaceAll('$__range', '60s').replaceAll('$namespace', '.*');
      // Recording rules read what other rules recorded before: some turns of them may pass.
      const inTime = { timeout: 20_000, interval: 500 };
      const empty = async (): Promise<string[]> => {
        const found: string[] = [];
        for (const { title, panels } of dashboards) {
          for (const { title: panel, queries } of panels.filter(({ only }) => only === undefined)) {
            for (const [expr] of queries) {
              const samples = await prometheus.query(fill(expr));
              if (samples.every(({ value }) => value[1] === 'NaN')) found.push(`${title}: ${panel}: ${expr}`);
            }
          }
        }
        return found;
      };
      await expect.poll(empty, inTime).toEqual([]);
      expect((await prometheus.rules()).length).toBeGreaterThan(names.length);
      await expect.poll(async () => (await prometheus.rules()).filter(({ health }) => health !== 'ok'), inTime).toEqual([]);
      // What this run did wrong is seen.
      const alerts = async (): Promise<unknown[]> => (await prometheus.query('ALERTS')).map(({ metric }) => metric['alertname']);
      await expect.poll(alerts, inTime).toEqual(expect.arrayContaining(['SluiceBudgetUsedUp', 'SluiceErrorBudgetBurn']));
      const firing = await alerts();
      expect(firing).not.toContain('SluiceAbsent');
      expect(firing).not.toContain('SluiceBypassed');
      // A runbook is where its alert says.
      const page = await fetch(`${stack.adminUrl}/runbooks/SluiceBypassed`);
      expect([page.status, page.headers.get('content-type'), await page.text()]).toEqual([
        200,
        'text/plain; charset=utf-8',
        expect.stringMatching(/^## SluiceBypassed\n\nEnvoy asked Sluice [^]+\n\n\*\*Do\*\*\n\n[^#]+$/),
      ]);
      for (const name of ['Nothing', '..%2fREADME', '../README'])
        expect((await fetch(`${stack.adminUrl}/runbooks/${name}`)).status).toBe(404);
      // The Sluice is gone: requests pass, and only Envoy knows.
      provider.behaviour = well;
      await stack.stopSluice('SIGKILL');
      expect((await ask('team-a', 'What is NTP?')).status).toBe(200);
      await expect
        .poll(async () => (await prometheus.query('ALERTS{alertname="SluiceBypassed",alertstate="firing"}')).length, {
          timeout: 20_000,
          interval: 500,
        })
        .toBe(1);
    } finally {
      await prometheus.stop();
      await stack.stop();
      await provider.close();
      hooks.closeAllConnections();
      await new Promise((resolve) => hooks.close(resolve));
    }
  });
});
