import { Ledger } from '../src/ledger/ledger.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { uuidv7 } from '../src/record/id.ts';

/**
 * One replica that records exchanges as fast as the ledger takes them: `node bench/fleet-child.ts PLACE SECONDS WORKSPACES RECORD`. Prints
 * `ready`, starts at a line on stdin, and at the end prints what was acknowledged, and how much CPU the process took.
 */
const [, , place, seconds, workspaces, template] = process.argv as unknown as [string, string, string, string, string, string];
const record = JSON.parse(template) as ExchangeRecord;
const day = 86_400_000;
/** Records handed over and not yet acknowledged: enough that the writer never waits for records. */
const ahead = 6_000;
let failures = 0;
const ledger = await Ledger.open({
  file: place,
  version: 'bench',
  retention: { rowsMs: 400 * day, rollupsMs: 400 * day },
  signingKey: null,
  onCheckpoint: () => undefined,
  onError: (message) => {
    failures++;
    process.stderr.write(`${message}\n`);
  },
});
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
const before = process.cpuUsage();
const until = performance.now() + Number(seconds) * 1_000;
let made = 0;
while (performance.now() < until) {
  for (let room = ahead - ledger.counts.waiting; room > 0; room--) {
    ledger.record({
      ...record,
      id: uuidv7(),
      time: new Date().toISOString(),
      workspace: `team-${made++ % Number(workspaces)}`,
      responseId: `chatcmpl-${uuidv7()}`,
      requestId: null,
    });
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await ledger.close();
const { user, system } = process.cpuUsage(before);
const { written, dropped } = ledger.counts;
process.stdout.write(`${JSON.stringify({ made, written, dropped, failures, cpuMs: (user + system) / 1_000 })}\n`);
process.exit(0);
