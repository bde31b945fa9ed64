import { Ledger } from '../src/ledger/ledger.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { uuidv7 } from '../src/record/id.ts';

/**
 * Writes records to a ledger as fast as it is told to until it is killed: `node bench/ledger-child.ts FILE RATE RECORD`. Prints
 * `ready`, then after each batch that is on disk the number of records written so far. Ids are `PID-NUMBER` in order.
 */
const [, , file, rate, template] = process.argv as unknown as [string, string, string, string, string];
const record = JSON.parse(template) as ExchangeRecord;
const day = 86_400_000;
const ledger = await Ledger.open({
  file,
  version: 'drill',
  retention: { rowsMs: 400 * day, rollupsMs: 400 * day },
  signingKey: null,
  onCheckpoint: () => undefined,
  onError: (message) => process.stderr.write(`${message}\n`),
});
process.stdout.write('ready\n');
let told = 0;
let made = 0;
setInterval(() => {
  for (let i = 0; i < Number(rate) / 100; i++) {
    ledger.record({ ...record, id: uuidv7(), time: new Date().toISOString(), workspace: `${process.pid}-${made++}` });
  }
  const { written } = ledger.counts;
  if (written !== told) process.stdout.write(`${(told = written)}\n`);
}, 10);
