import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { emptyBudgets } from '../src/budgets/open.ts';
import { ResponseCache } from '../src/cache/cache.ts';
import { loadCatalog } from '../src/catalog/index.ts';
import { openModel } from '../src/router/model/live.ts';
import { decodeAccessLog } from '../src/extproc/access-log.ts';
import { decodeRequest } from '../src/extproc/decode-request.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { LoadGate } from '../src/exchange/load-gate.ts';
import { Credentials } from '../src/exchange/credentials.ts';
import { Pipeline } from '../src/exchange/gateway.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import { defaultPolicyFile } from '../src/policy/source.ts';
import { fanout } from '../src/record/fanout.ts';
import { logSink, openLog } from '../src/record/log-sink.ts';
import { Metrics } from '../src/record/metrics.ts';
import { RecentRecords } from '../src/record/recent.ts';
import { Cooldowns } from '../src/route/cooldowns.ts';
import { Pools } from '../src/route/pools.ts';
import { idPlaceholder, logEntry, logMessage, requestBody, requestHeaders } from './direct/messages.ts';
import { chatBody, quantile } from './load.ts';

/**
 * Times one request's way through the pipeline in this process: decoded messages in, plan and record out, with the log, the
 * ledger and the metrics that Sluice has. Prints JSON. Usage: node bench/decision.ts COUNT
 */
export type DecisionTimes = Readonly<Record<'decide' | 'record' | 'both', { readonly p50: number; readonly p99: number }>>;

/** Before anything is counted. */
const warm = 2_000;

async function main(count: number): Promise<DecisionTimes> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-decision-'));
  const log = openLog({ level: 'info', path: join(folder, 'log') });
  const ledger = await Ledger.open({
    file: join(folder, 'ledger.db'),
    passwordFile: null,
    version: 'bench',
    retention: { rowsMs: 1e9, rollupsMs: 1e9 },
    signingKey: null,
    onCheckpoint: () => undefined,
    onError: (message) => process.stderr.write(`${message}\n`),
    onPruned: () => undefined,
  });
  const { generation, problems } = compilePolicy([{ name: 'policy.yaml', text: readFileSync(defaultPolicyFile, 'utf8') }], {
    catalog: await loadCatalog(),
  });
  if (generation === null) throw new Error(JSON.stringify(problems));
  const metrics = new Metrics({ version: 'bench', policy: () => generation, refused: () => false });
  const credentials = new Credentials();
  await credentials.refresh(generation);
  let records = 0;
  const pipeline = new Pipeline({
    cache: new ResponseCache({ memoryBytes: 1_000_000 }),
    policy: { current: () => generation },
    credentials,
    cooldowns: new Cooldowns(),
    trials: null,
    pools: new Pools(),
    shadows: null,
    sessions: null,
    embedder: null,
    grader: null,
    feedback: null,
    router: await openModel({ file: null, onChange: () => undefined, onError: () => undefined }),
    budgets: emptyBudgets(),
    learner: null,
    sink: fanout(
      [{ record: (record) => (records += record.outcome === 'complete' ? 1 : 0) }, metrics, new RecentRecords(), ledger, logSink(log, 1)],
      (error) => {
        throw error;
      },
    ),
    metrics,
    admission: new LoadGate(0),
    bodies: null,
    log: log.logger,
  });

  const body = chatBody(2_048, false);
  const messages = { headers: requestHeaders(body.length), body: requestBody(body), entry: logMessage(logEntry()) };
  const times = { decide: [] as number[], record: [] as number[], both: [] as number[] };
  for (let turn = -warm; turn < count; turn++) {
    const headers = decodeRequest(messages.headers).phase;
    const bytes = decodeRequest(messages.body).phase;
    if (headers.kind !== 'request-headers' || bytes.kind !== 'request-body') throw new Error('the messages are not those of a request');
    const decideAt = performance.now();
    const plan = pipeline.requestHeaders(headers.headers, false);
    const decided = plan.kind === 'read-body' ? plan.handler.take(bytes.body) : null;
    const decideUs = (performance.now() - decideAt) * 1_000;
    const id = decided !== null && 'metadata' in decided ? decided.metadata?.['id'] : undefined;
    if (typeof id !== 'string') throw new Error('the request was not decided');
    const [logged] = decodeAccessLog(Buffer.from(messages.entry.toString('latin1').replaceAll(idPlaceholder, id), 'latin1'));
    if (logged === undefined) throw new Error('the log entry is not read');
    const recordAt = performance.now();
    // Records are written in a turn of their own, between these two.
    let turnAt = 0;
    setImmediate(() => (turnAt = performance.now()));
    pipeline.logged(logged);
    const readUs = (performance.now() - recordAt) * 1_000;
    await new Promise((resolve) => setImmediate(resolve));
    const recordUs = readUs + (performance.now() - turnAt) * 1_000;
    if (records !== turn + warm + 1) throw new Error('the exchange was not recorded');
    if (turn < 0) continue;
    times.decide.push(decideUs);
    times.record.push(recordUs);
    times.both.push(decideUs + recordUs);
  }
  pipeline.close();
  await ledger.close();
  await log.flush();
  rmSync(folder, { recursive: true, force: true });
  const of = (values: number[]): { p50: number; p99: number } => {
    values.sort((a, b) => a - b);
    return { p50: quantile(values, 0.5), p99: quantile(values, 0.99) };
  };
  return { decide: of(times.decide), record: of(times.record), both: of(times.both) };
}

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await main(Number(process.argv[2] ?? 20_000)))}\n`);
  process.exit(0);
}
