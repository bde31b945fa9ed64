import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../src/ledger/sqlite/database.ts';
import { verifyLedger, type VerifyResult } from '../src/ledger/verify.ts';
import type { ExchangeRecord } from '../src/record/types.ts';

const child = fileURLToPath(new URL('./ledger-child.ts', import.meta.url));

export interface DrillResult {
  readonly kills: number;
  /** Records that a process said were on disk before it was killed. */
  readonly acknowledged: number;
  /** Of these, how many the ledger lacks. */
  readonly lost: number;
  readonly verify: VerifyResult;
}

/** Starts a writing process and kills it with SIGKILL at some moment, `kills` times on one ledger; then looks at what is left. */
export async function killDrill(options: {
  readonly file: string;
  readonly kills: number;
  readonly rate: number;
  readonly record: ExchangeRecord;
}): Promise<DrillResult> {
  const promised: { readonly pid: number; readonly written: number }[] = [];
  for (let kill = 0; kill < options.kills; kill++) promised.push(await killOne(options, kill));
  const db = openDatabase(options.file, 'readonly');
  try {
    const held = new Set(db.prepare<[], string>('SELECT workspace FROM entries WHERE workspace IS NOT NULL').pluck().all());
    let acknowledged = 0;
    let lost = 0;
    for (const { pid, written } of promised) {
      acknowledged += written;
      for (let i = 0; i < written; i++) if (!held.has(`${pid}-${i}`)) lost++;
    }
    return { kills: options.kills, acknowledged, lost, verify: verifyLedger(db, { publicKey: null, checkpoints: [] }) };
  } finally {
    db.close();
  }
}

function killOne(
  { file, rate, record }: { readonly file: string; readonly rate: number; readonly record: ExchangeRecord },
  kill: number,
): Promise<{ readonly pid: number; readonly written: number }> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, [child, file, String(rate), JSON.stringify(record)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let written = 0;
    let acknowledgements = 0;
    const lines = createInterface({ input: running.stdout });
    lines.on('line', (line) => {
      if (line === 'ready') return;
      written = Number(line);
      // After a few batches, at another point of the batch each time.
      if (++acknowledgements === 1 + (kill % 4)) setTimeout(() => running.kill('SIGKILL'), (kill * 7) % 60);
    });
    running.on('error', reject);
    lines.on('close', () => resolve({ pid: running.pid ?? 0, written }));
  });
}
