import { Session } from 'node:inspector/promises';
import { createServer } from 'node:net';
import { GCProfiler, getHeapStatistics } from 'node:v8';

/**
 * Loaded into Sluice's process before Sluice (`node --import`): reports the process's resource usage over the IPC channel, and
 * serves a reference workload on its own socket. Sluice itself does not know about it.
 */
export interface Usage {
  /** CPU of all threads, µs. */
  readonly cpu: number;
  /** CPU of the main thread, µs. */
  readonly main: number;
  /** JavaScript heap in use, bytes. */
  readonly heap: number;
  /** Buffers outside of it, bytes. */
  readonly external: number;
  /** Garbage collections since the previous request. */
  readonly collections: number;
}

export type Question = 'usage' | 'collect' | 'sample' | 'sampled' | 'profile' | 'profiled' | { readonly reference: string };

/** One function's own allocations while they were sampled, and its way there, outermost first. */
export interface Allocations {
  readonly bytes: number;
  readonly path: readonly string[];
}

let profiler = new GCProfiler();
profiler.start();

function usage(): Usage {
  const collections = profiler.stop().statistics.length;
  profiler = new GCProfiler();
  profiler.start();
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  const cpu = process.cpuUsage();
  const main = process.threadCpuUsage();
  return { cpu: cpu.user + cpu.system, main: main.user + main.system, heap, external, collections };
}

/** Usage when all garbage is gone: buffers are freed by a thread of V8's, a little after the collection that found them. */
async function collected(): Promise<Usage> {
  for (let times = 0; times < 3; times++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return usage();
}

const inspector = new Session();
/** Bytes between two samples, in the mean: small, so that a few hundred exchanges tell. */
const samplingInterval = 128;

function nameOf({
  functionName,
  url,
  lineNumber,
}: {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}): string {
  return `${functionName === '' ? '(anonymous)' : functionName} ${url.replace(/^.*\/(?=(src|node_modules)\/)/, '')}:${lineNumber + 1}`;
}

/** Samples all allocations from now on, whether collected later or not. */
async function sample(): Promise<void> {
  inspector.connect();
  await inspector.post('HeapProfiler.startSampling', {
    samplingInterval,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
}

async function sampled(): Promise<Allocations[]> {
  const { profile } = await inspector.post('HeapProfiler.stopSampling');
  inspector.disconnect();
  const found: Allocations[] = [];
  const walk = ({ callFrame, selfSize, children }: typeof profile.head, above: readonly string[]): void => {
    const path = [...above, nameOf(callFrame)];
    if (selfSize > 0) found.push({ bytes: selfSize, path });
    for (const child of children) walk(child, path);
  };
  walk(profile.head, []);
  return found;
}

/** A stack of the main thread, outermost first, and how many samples found it. */
export interface Stack {
  readonly samples: number;
  readonly path: readonly string[];
}

/** Looks at the main thread's stack each 200 µs from now on. */
async function profile(): Promise<void> {
  inspector.connect();
  await inspector.post('Profiler.enable');
  await inspector.post('Profiler.setSamplingInterval', { interval: 200 });
  await inspector.post('Profiler.start');
}

async function profiled(): Promise<Stack[]> {
  const { profile: taken } = await inspector.post('Profiler.stop');
  inspector.disconnect();
  const nodes = new Map(taken.nodes.map((node) => [node.id, node]));
  const found: Stack[] = [];
  const walk = (id: number, above: readonly string[]): void => {
    const { callFrame, hitCount = 0, children = [] } = nodes.get(id)!;
    const path = [...above, nameOf(callFrame)];
    if (hitCount > 0) found.push({ samples: hitCount, path });
    for (const child of children) walk(child, path);
  };
  walk(taken.nodes[0]!.id, []);
  return found;
}

/** Four bytes of length, a JSON body; it is parsed and answered with as many bytes as the number of its members needs. */
function serveReference(path: string, ready: () => void): void {
  createServer((socket) => {
    let pieces: Buffer[] = [];
    let held = 0;
    let need = 4;
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      pieces.push(bytes);
      held += bytes.length;
      while (held >= need) {
        const all = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
        pieces = [all];
        need = 4 + all.readUInt32BE(0);
        if (held < need) break;
        const body = JSON.parse(all.toString('utf8', 4, need)) as object;
        socket.write(Buffer.from(`${JSON.stringify(body).length}`.padStart(16, '0')));
        pieces = held === need ? [] : [all.subarray(need)];
        held -= need;
        need = 4;
      }
    });
  }).listen(path, ready);
}

process.on('message', (question: Question) => {
  const answer = (value: unknown): void => void process.send?.(value);
  if (question === 'usage') answer(usage());
  else if (question === 'collect') void collected().then(answer);
  else if (question === 'sample') void sample().then(() => answer(null));
  else if (question === 'sampled') void sampled().then(answer);
  else if (question === 'profile') void profile().then(() => answer(null));
  else if (question === 'profiled') void profiled().then(answer);
  else serveReference(question.reference, () => answer(null));
});
