import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { savingsKeys, whereFields } from '../src/ledger/query.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { entry } from './support/entry.ts';

const policy = `
version: 1
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  rules: [{ name: no, when: caller.workspace == 'banned', then: { block: Not this team. } }]
sections:
  - { name: openai, match: { provider: [openai] } }
`;

const simulator = new ProviderSimulator();
let stack: Stack;

/** Runs the command line as a user does; resolves with what it printed and its exit code. */
async function sluice(...args: string[]): Promise<{ readonly out: string; readonly err: string; readonly code: number }> {
  return promisify(execFile)(process.execPath, [entry, ...args]).then(
    ({ stdout, stderr }) => ({ out: stdout, err: stderr, code: 0 }),
    (error: unknown) => {
      const { stdout, stderr, code } = error as { readonly stdout: string; readonly stderr: string; readonly code: number };
      return { out: stdout, err: stderr, code };
    },
  );
}

async function ask(workspace: string, model = 'gpt-5.1'): Promise<string> {
  const response = await fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-sluice-workspace': workspace },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'What is a CDN?' }] }),
  });
  await response.text();
  return response.headers.get('x-sluice-decision')!;
}

beforeAll(async () => {
  const endpoint = await simulator.listen();
  stack = new Stack({ policy, endpoint });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await simulator.close();
});

describe('the ledger of a running stack', () => {
  it('is asked, checked, exported and erased by the command line and the admin server alike', async () => {
    const red = await ask('red');
    await ask('red');
    await ask('blue', 'model-nobody-knows');
    const exchanges = async () =>
      ((await fetch(`${stack.adminUrl}/savings?window=1h`).then((response) => response.json())) as { total: { exchanges: number } }).total
        .exchanges;
    await expect.poll(exchanges, { timeout: 10_000 }).toBe(3);

    const savings = await sluice('savings', '--ledger', stack.ledgerFile, '--window', '30d', '--by', 'workspace,model,tier');
    expect(savings.out).toMatch(/AI cost saved by routing \(30d/);
    expect(savings.out).toMatch(/unknown\s+33\.3% of 3 exchanges/);
    expect(savings.out).toMatch(/^red +gpt-5-nano +simple +2 /m);
    expect((await sluice('savings', '--admin', stack.adminUrl, '--window', '30d', '--by', 'workspace,model,tier')).out).toBe(savings.out);

    const byRule = await sluice('savings', '--ledger', stack.ledgerFile, '--by', 'section,rule', '--where', 'workspace=red', '--csv');
    expect(byRule.out).toMatch(/^section,rule,exchanges,cost,[^\n]*\nopenai,none,2,/);
    expect((await sluice('savings', '--admin', stack.adminUrl, '--by', 'section,rule', '--where', 'workspace=red', '--csv')).out).toBe(
      byRule.out,
    );
    const table = await sluice('decisions', '--ledger', stack.ledgerFile, '--where', 'section=openai', '--csv');
    expect(table.out.split('\n')[0]).toMatch(/^time,id,workspace,.*,cached_read,.*,attempts_json$/);
    expect((await sluice('decisions', '--ledger', stack.ledgerFile, '--month', '2001-01')).out.trim().split('\n')).toHaveLength(1);

    const report = await sluice('report', '--ledger', stack.ledgerFile, '--csv');
    expect(report.out).toMatch(/^team,exchanges,spent_usd,[^\n]*\nred,2,[^\n]*,1,1\nblue,1,,,,0,0\n$/);
    expect((await sluice('report', '--ledger', stack.ledgerFile, '--html')).out).toMatch(/<th scope="row">red<\/th><td>2<\/td>/);
    // Days around now: a midnight may pass while this runs.
    const days = [-1, 0, 1].map((day) => new Date(Date.now() + day * 86_400_000).toISOString().slice(0, 10));
    const [served] = (
      JSON.parse((await sluice('savings', '--ledger', stack.ledgerFile, '--by', 'model', '--json')).out) as {
        lines: { group: string[]; input: number; output: number }[];
      }
    ).lines.filter(({ group }) => group[0] === 'gpt-5-nano');
    const bill = join(stack.folder, 'bill.csv');
    const billed = (input: number): void =>
      writeFileSync(
        bill,
        `start_time_iso,start_time,model,num_model_requests,input_tokens,output_tokens\n${days.map((day, at) => `${day}T00:00:00Z,,gpt-5-nano-2025-08-07,2,${at === 1 ? input : 0},${at === 1 ? served!.output : 0}\n`).join('')}`,
      );
    billed(served!.input);
    expect((await sluice('reconcile', '--bill', bill, '--ledger', stack.ledgerFile)).out).toMatch(/^gpt-5-nano .* agrees$/m);
    billed(served!.input * 10);
    expect(await sluice('reconcile', '--bill', bill, '--ledger', stack.ledgerFile)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^gpt-5-nano .* more billed/m) as string,
    });

    const listed = await sluice('decisions', '--ledger', stack.ledgerFile, '--where', 'workspace=red', '--where', 'savings>0', '--json');
    const records = listed.out
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as ExchangeRecord);
    expect(records).toHaveLength(2);
    expect(records.map(({ id }) => id)).toContain(red);
    expect((await sluice('decisions', '--admin', stack.adminUrl, '--where', 'cost=unknown')).out).toMatch(
      /model-nobody-knows.*\? \(model\)/,
    );
    expect((await sluice('explain', red.slice(0, 30), '--ledger', stack.ledgerFile, '--json')).out).toContain(red);

    const everything = join(stack.folder, 'export.jsonl');
    expect((await sluice('ledger', 'export', '--ledger', stack.ledgerFile, '--out', everything)).err).toContain('3 exchanges written');
    expect(readFileSync(everything, 'utf8')).toContain(`{"provenance_records":{"routing_decision":{"kind":"decision","id":"${red}"`);

    expect((await sluice('ledger', 'erase', '--ledger', stack.ledgerFile, '--workspace', 'red', '--reason', 'test')).out).toContain(
      '2 rows of red erased',
    );
    const verified = await sluice('ledger', 'verify', '--ledger', stack.ledgerFile, '--log', stack.logFile);
    expect([verified.code, verified.out]).toEqual([0, expect.stringMatching(/2 of them erased, .*: everything holds/)]);
    expect(await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text())).toMatch(
      /^llm_proxy_ledger_records_total\{result="written"\} 3$/m,
    );
  });

  it('names no model for a request that it refuses', async () => {
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-workspace': 'banned' },
      body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'Hello' }] }),
    });
    await response.text();
    expect([
      response.status,
      response.headers.get('x-sluice-reason'),
      response.headers.get('x-sluice-requested-model'),
      response.headers.get('x-sluice-model'),
      response.headers.get('x-sluice-attempts'),
    ]).toEqual([403, 'blocked', 'gpt-5.1', null, '0']);
  });

  it('says what is wrong with a question, and where there is none', async () => {
    expect(await sluice('decisions', '--ledger', stack.ledgerFile, '--where', 'colour=red')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^SLUICE_LEDGER_WHERE/) as string,
    });
    expect(await sluice('savings', '--ledger', join(stack.folder, 'none.db'))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^SLUICE_LEDGER_UNUSABLE .*: there is no such file\. /) as string,
    });
    const none = join(stack.folder, 'none.db');
    expect(await sluice('ledger', 'erase', '--ledger', none, '--workspace', 'red', '--reason', 'test')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^SLUICE_LEDGER_UNUSABLE/) as string,
    });
    expect(existsSync(none)).toBe(false);
    for (const format of ['jsonl', 'csv', 'parquet']) {
      expect(await sluice('ledger', 'export', '--ledger', stack.ledgerFile, '--format', format, '--out', stack.folder)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^SLUICE_FILE_UNWRITABLE/) as string,
      });
    }
  });

  it.skipIf(!existsSync('/dev/full'))('does not say that an export was written which the disk had no room for', async () => {
    for (const format of ['jsonl', 'csv', 'parquet']) {
      expect(await sluice('ledger', 'export', '--ledger', stack.ledgerFile, '--format', format, '--out', '/dev/full')).toMatchObject({
        code: 1,
        out: '',
        err: expect.stringMatching(/^SLUICE_FILE_UNWRITABLE \/dev\/full: ENOSPC/) as string,
      });
    }
  });

  it('is not marked by a start that failed, and is closed when Sluice stops', async () => {
    const second = await sluice(
      'serve',
      '--policy',
      stack.policyFolder,
      '--listen',
      `unix:${join(stack.folder, 'second.sock')}`,
      '--admin',
      new URL(stack.adminUrl).host,
      '--ledger',
      stack.ledgerFile,
      '--budgets',
      'off',
    );
    expect(second).toMatchObject({ code: 1, err: expect.stringMatching(/^SLUICE_LISTEN/) as string });
    await stack.stopSluice('SIGTERM');
    const verified = await sluice('ledger', 'verify', '--ledger', stack.ledgerFile);
    expect([verified.code, verified.out]).toEqual([0, expect.not.stringContaining('ended without closing')]);
  });

  it('has its fields and keys in docs/ledger.md', () => {
    const page = readFileSync(new URL('../docs/ledger.md', import.meta.url), 'utf8');
    for (const field of [...whereFields, ...savingsKeys]) expect(page).toContain(`\`${field}\``);
  });
});
