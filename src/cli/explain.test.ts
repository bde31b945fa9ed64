import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { generation, record } from '../../test/support/decision.ts';
import { adminOf } from '../../test/support/admin.ts';
import { Ledger } from '../ledger/ledger.ts';
import { RecentRecords } from '../record/recent.ts';
import { decideRequest } from './decide-request.ts';
import { fetchDecision, findInLog } from './find-record.ts';
import { sluice } from './testing/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-explain-'));
afterAll(() => rmSync(folder, { recursive: true }));

const first = { ...record(), id: '018bcfe5-6800-7000-8000-000000000001' };
const second = { ...record(), id: '018bcfe5-6800-7000-8000-0000000000a2' };

describe('a decision looked up', () => {
  const log = join(folder, 'log.jsonl');
  writeFileSync(
    log,
    [
      JSON.stringify({ level: 'info', msg: 'ready' }),
      JSON.stringify({ msg: 'exchange', record: first }),
      `{"msg":"exchange","record":{"id":"${first.id}"`,
      JSON.stringify({ msg: 'other', note: second.id }),
      JSON.stringify({ msg: 'exchange', record: { id: '018bcfe5-6800-7000-8000-00000000000f' } }),
      JSON.stringify({ msg: 'exchange', record: second }),
    ].join('\n'),
  );

  it('is found in a log by its whole id, or by a beginning that is its alone', async () => {
    expect(await findInLog(log, first.id)).toEqual(first);
    expect(await findInLog(log, second.id.slice(0, -1).toUpperCase())).toEqual(second);
  });

  it('is not guessed when two begin alike, or none does, or its line is broken', async () => {
    await expect(findInLog(log, '018b')).rejects.toMatchObject({ code: 'SLUICE_EXPLAIN_AMBIGUOUS' });
    await expect(findInLog(log, 'ffff')).rejects.toMatchObject({ code: 'SLUICE_EXPLAIN_UNKNOWN' });
    await expect(findInLog(log, '018bcfe5-6800-7000-8000-00000000000f')).rejects.toMatchObject({ code: 'SLUICE_EXPLAIN_UNKNOWN' });
    await expect(findInLog(join(folder, 'none'), first.id)).rejects.toMatchObject({ code: 'SLUICE_FILE_UNREADABLE' });
  });

  it('is fetched from a running server', async () => {
    const recent = new RecentRecords();
    recent.record(first);
    const policy = generation();
    const admin = adminOf(() => policy, { recent });
    const url = `http://${await admin.listen('127.0.0.1', 0)}`;
    expect(await fetchDecision(url, first.id)).toEqual(first);
    await expect(fetchDecision(url, second.id)).rejects.toMatchObject({ code: 'SLUICE_EXPLAIN_UNKNOWN' });
    await admin.close();
    await expect(fetchDecision(url, first.id)).rejects.toMatchObject({ code: 'SLUICE_ADMIN' });
  });
});

it('without a server that knows it, a decision is looked up in the ledger', async () => {
  const file = join(folder, 'ledger.db');
  const ledger = await Ledger.open({
    file,
    version: '1',
    retention: { rowsMs: 1e12, rollupsMs: 1e12 },
    signingKey: null,
    onCheckpoint: () => undefined,
    onError: (message) => expect.fail(message),
  });
  ledger.record({ ...first, id: '018bcfe5-6800-7000-8000-0000000000aa' });
  await ledger.close();
  const { stdout } = await sluice(['explain', '018bcfe5-6800-7000-8000-0000000000aa'], { env: { SLUICE_LEDGER: file } });
  expect(stdout).toContain('Decision 018bcfe5-6800-7000-8000-0000000000aa');
});

describe('a request file', () => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const policy = file(
    'policy.yaml',
    `version: 1
defaults:
  mode: enabled
  candidates:
    simple: [openai/gpt-5-nano]
    standard: [openai/gpt-5-nano]
    complex: [openai/gpt-5-nano]
  overrides:
    - name: premium
      when: { userTier: [premium] }
      then: { model: openai/gpt-5 }
`,
  );
  const asked = { policy, path: '/v1/chat/completions', host: 'localhost', header: [] };
  const body = file('body.json', '{"model":"gpt-5.1","messages":[{"role":"user","content":"Is this spam? Win a prize!"}]}');

  it("is decided by the server's own pipeline", async () => {
    const found = await decideRequest({ ...asked, request: body });
    expect(found).toMatchObject({
      kind: 'decision',
      requestedModel: 'gpt-5.1',
      servedModel: 'gpt-5-nano',
      outcome: 'unobserved',
      cost: { known: false, reason: 'usage' },
      decision: { action: 'route', reason: 'tier' },
    });
  });

  it('is decided with the headers that are given', async () => {
    const found = await decideRequest({ ...asked, request: body, header: ['x-sluice-user-tier=premium', 'X-Sluice-Workspace=blue'] });
    expect(found).toMatchObject({ servedModel: 'gpt-5', workspace: 'blue', decision: { reason: 'override', rule: 'premium' } });
  });

  it('that the server would pass on untouched is said to be so', async () => {
    await expect(decideRequest({ ...asked, request: file('bad.json', '{"model":') })).rejects.toMatchObject({
      code: 'SLUICE_CLI_USAGE',
      message: expect.stringContaining('invalid-json') as string,
    });
    await expect(decideRequest({ ...asked, request: body, path: '/nowhere' })).rejects.toMatchObject({
      message: expect.stringContaining('unknown-provider') as string,
    });
    await expect(decideRequest({ ...asked, request: body, header: ['nonsense'] })).rejects.toMatchObject({ code: 'SLUICE_CLI_USAGE' });
  });
});
