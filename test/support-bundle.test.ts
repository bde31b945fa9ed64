import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { Redactor } from '../src/doctor/redact.ts';
import { entry } from './support/entry.ts';

const simulator = new ProviderSimulator();
let stack: Stack;

/** Words that must not leave, by where they are put. */
const canary = (where: string): string => `canary${where}Zq9`;
const policy = `
# ${canary('comment')} wrote this
version: 1
workspaces: { known: [${canary('workspace')}] }
callers: { believe: { user: all, workspace: all } }
webhooks: { ops: { url: "https://hooks.example.com/services/${canary('hook')}?token=${canary('query')}" } }
defaults:
  candidates: { simple: [gpt-5-nano], standard: [gpt-5-mini], complex: [gpt-5.1] }
  prompts: { capture: truncate, units: 40 }
budgets:
  - { name: one, match: { workspace: [${canary('workspace')}] }, period: day, usd: 5, soft: { at: [0.5], notify: [ops] } }
`;

beforeAll(async () => {
  stack = new Stack({ policy, endpoint: await simulator.listen(), messageTimeout: '20s', serve: ['--request-id-header', 'x-request-id'] });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await simulator.close();
});

describe('sluice support-bundle', () => {
  it('holds what a report needs and no prompt, credential or name', async () => {
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer sk-${canary('key')}`,
        'x-sluice-workspace': canary('workspace'),
        'x-sluice-user': canary('user'),
        'x-sluice-session': canary('session'),
        'x-request-id': canary('request'),
      },
      body: JSON.stringify({
        model: 'gpt-5.1',
        user: canary('user'),
        messages: [{ role: 'user', content: `What is ${canary('prompt')}?` }],
      }),
    });
    await response.text();
    const id = response.headers.get('x-sluice-decision')!;
    await fetch(`${stack.url}/v1/${canary('path')}`).then((other) => other.text());
    // What is asked for is there at all: the canaries were in what the bundle is made of.
    await expect.poll(() => readFileSync(stack.logFile, 'utf8').includes(canary('prompt')), { timeout: 20_000 }).toBe(true);
    expect(JSON.stringify(await fetch(`${stack.adminUrl}/policy/generations`).then((one) => one.json()))).toContain(canary('hook'));

    const out = join(stack.folder, 'bundle.json');
    const { stdout } = await promisify(execFile)(process.execPath, [
      entry,
      'support-bundle',
      '--admin',
      stack.adminUrl,
      '--log',
      stack.logFile,
      '--out',
      out,
      '--json',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ out, missing: [] });
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const text = readFileSync(out, 'utf8');
    expect(text.match(/canary\w*Zq9/g) ?? []).toEqual([]);

    const bundle = JSON.parse(text) as {
      readonly answers: {
        readonly decisions: { readonly decisions: readonly Record<string, unknown>[] };
        readonly generations: { readonly files: readonly { readonly policy: string }[] };
      };
      readonly metrics: readonly string[];
      readonly log: readonly unknown[];
    };
    expect(bundle.answers.decisions.decisions.find((one) => one['id'] === id)).toMatchObject({
      workspace: 'workspace-1',
      requestedModel: 'gpt-5.1',
      servedModel: 'gpt-5-nano',
    });
    expect(bundle.answers.generations.files[0]!.policy).toContain('simple:');
    expect(bundle.metrics.some((line) => line.startsWith('llm_proxy_workspace_request_total{workspace="workspace-1"}'))).toBe(true);
    expect(bundle.log.length).toBeGreaterThan(1);
  });
});

describe('a redactor', () => {
  it.each([
    ['postgres://ann:pw@db/x', 'postgres://[redacted]@db/x'],
    ['https://hooks.example.com/T0/B0/x?y=1 failed', 'https://hooks.example.com/[redacted] failed'],
    ['Authorization: Bearer abc.def', 'Authorization: Bearer [redacted]'],
    ['sk-proj-abcdef123456', '[redacted]'],
    ['AIzaSyA1234567890abcdefghijk', '[redacted]'],
    ['mail ann@example.com now', 'mail [redacted] now'],
    ['eyJhbGciOiJIUzI1.eyJzdWIiOiJhbm4i.sig', '[redacted]'],
    ['policy edit refused: llm_proxy_key_problem', 'policy edit refused: llm_proxy_key_problem'],
  ])('%s', (text, redacted) => expect(new Redactor().text(text)).toBe(redacted));

  it('gives a name one stand-in in all of a bundle', () => {
    const redactor = new Redactor();
    expect(redactor.value({ workspace: 'red', records: [{ workspace: 'blue', user: 'ann' }, { workspace: 'red' }] })).toEqual({
      workspace: 'workspace-1',
      records: [{ workspace: 'workspace-2', user: 'user-1' }, { workspace: 'workspace-1' }],
    });
    expect(redactor.everywhere('said by blue: reddish, red.')).toBe(
      'said by workspace-2: reddish, workspace-1.'.replace('workspace-1', 'workspace-1'),
    );
    expect(redactor.policy('a: 1 # by ann\nwhen: user == "bob"\n')).toBe('a: 1\nwhen: user == "[redacted]"\n');
    expect(redactor.policy('{')).toBe('[redacted]');
    expect(redactor.value({ workspaces: { known: ['green'] }, diffs: [{ file: 'p', patch: '-x' }] })).toEqual({
      workspaces: { known: ['workspace-3'] },
      diffs: [{ file: 'p', patch: '[redacted]' }],
    });
  });
});
