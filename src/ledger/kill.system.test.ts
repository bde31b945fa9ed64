import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { killDrill } from '../../bench/ledger-drill.ts';
import { record } from '../../test/support/decision.ts';

it('loses nothing that it said was written when its process is killed, and shows each gap', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ledger-kill-'));
  try {
    const { acknowledged, lost, verify } = await killDrill({ file: join(folder, 'ledger.db'), kills: 6, rate: 2_000, record: record() });
    expect(acknowledged).toBeGreaterThan(6);
    expect(lost).toBe(0);
    expect(verify).toMatchObject({ ok: true, faults: [], writers: 6 });
    expect(verify.gaps).toHaveLength(6);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
