export interface Measure {
  /** From the repository's root. */
  readonly file: string;
  readonly about: string;
}

export type Kind = 'bench' | 'drill';

/** What `npm run bench` and `npm run drill` know by name. */
export const kinds: Readonly<Record<Kind, Readonly<Record<string, Measure>>>> = {
  bench: {
    speed: { file: 'scripts/bench.sh', about: 'Sluice beside a real Envoy: added time, streams, memory (docs/speed.md)' },
    direct: { file: 'bench/direct.ts', about: 'whole exchanges over the socket, without an Envoy' },
    transports: { file: 'bench/transports.ts', about: "own frames, Node's http2 and grpc-js: CPU of a request" },
    guard: { file: 'bench/guard.ts', about: 'what a request allocates and its CPU, against the kept baseline' },
    allocations: { file: 'bench/allocations.ts', about: 'which functions allocate it' },
    flame: { file: 'bench/flame.ts', about: "where the main thread's time goes, as a flame graph (SVG): flame [COMMIT]" },
    compare: { file: 'bench/compare.ts', about: 'two commits in turns: compare A [B]' },
    start: { file: 'bench/start.ts', about: 'time and memory until serve is ready' },
    peers: { file: 'scripts/bench-peers.sh', about: 'beside other gateways; fetches about 800 MB (docs/peers.md)' },
    cache: { file: 'bench/cache.ts', about: 'a hit in memory, through Envoy' },
    eviction: { file: 'bench/eviction.ts', about: "hit rates of the cache's memory" },
    semantic: { file: 'bench/semantic.ts', about: 'hits, right and false, on labelled pairs: semantic FILE' },
    gate: { file: 'bench/gate.ts', about: 'what a chain costs a first attempt that succeeds' },
    ledger: {
      file: 'bench/ledger.ts',
      about: 'what the ledger costs and sustains, and what a killed process loses: ledger [SECONDS] [KILLS]',
    },
    fleet: {
      file: 'bench/fleet.ts',
      about: 'what one PostgreSQL takes from several replicas, and its CPU a record: fleet [SECONDS] [WRITERS] [WORKSPACES]',
    },
    scale: {
      file: 'bench/scale.ts',
      about: "what each shared server sees of a request, a fleet's figures from it, a month's sums (docs/capacity.md): scale [REQUESTS]",
    },
    router: { file: 'bench/router.ts', about: 'one scoring by the learned router' },
    sequential: { file: 'bench/sequential.ts', about: 'false alarms and drops found by the test of experiments' },
    configmap: { file: 'bench/configmap-edits.ts', about: 'from an edit of a ConfigMap to a decision by it' },
    classifier: { file: 'bench/classifier.ts', about: 'the classifier on labelled prompts: classifier FOLDER' },
  },
  drill: {
    bypass: { file: 'bench/bypass-drill.ts', about: 'known ways around a block and around a budget (docs/security.md)' },
    tamper: { file: 'bench/tamper-drill.ts', about: 'ways to tamper with a ledger (docs/tamper-drill.md)' },
    fallback: { file: 'bench/fallback-drill.ts', about: 'ways in which a target can fail (docs/fallback-drills.md)' },
    flap: { file: 'bench/flap-drill.ts', about: 'many clients while providers flap' },
    kubernetes: {
      file: 'bench/kubernetes-drill.ts',
      about: 'faults on a real node: Sluice killed, no API server, leave and come back (docs/endurance.md)',
    },
    endurance: {
      file: 'bench/endurance.ts',
      about: 'kills, pauses, full disks, floods and long runs: endurance [NAME…] (docs/endurance.md)',
    },
    fuzz: {
      file: 'scripts/fuzz.ts',
      about: 'all property tests with fresh seeds: fuzz [--minutes 60] [--factor 20] [--workers 2] (docs/dev/testing.md)',
    },
  },
};

/** The names with what each is about, for people. */
export function listText(kind: Kind): string {
  const rows = Object.entries(kinds[kind]).map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`);
  return [`npm run ${kind} -- NAME [OPTIONS]${kind === 'bench' ? '; without a name: speed' : ''}`, ...rows].join('\n');
}
