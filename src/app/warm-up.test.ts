import { expect, it } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import { Credentials } from '../exchange/credentials.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { warmUp } from './warm-up.ts';

const snapshot = compiled('version: 1\ndefaults: {tiers: [simple], candidates: {simple: [gpt-small]}}\n');

async function warmedBy(section: PolicySnapshot['section']): Promise<void> {
  await warmUp({ policy: { current: () => ({ ...snapshot, section }) } as never, credentials: new Credentials(), router: null as never });
}

it('decides a request by the policy in force', async () => {
  const asked: string[] = [];
  await warmedBy((workspace, provider) => {
    asked.push(provider);
    return snapshot.section(workspace, provider);
  });
  expect(asked).toContain('openai');
});

it('does not stop a start', async () => {
  let asked = 0;
  await warmedBy(() => {
    asked++;
    throw new Error('no section');
  });
  expect(asked).toBeGreaterThan(0);
});
