import { limits } from '../lib/limits.ts';

type Json = Readonly<Record<string, unknown>>;

const monitors = 'type.googleapis.com/envoy.extensions.resource_monitors';
const heapMonitor = 'envoy.resource_monitors.fixed_heap';

/** The share of Envoy's memory that its heap may have. The rest: code, stacks, and what arrives between two looks at the heap. */
const heapShare = 0.75;

/** The share of the heap that bodies may have: below the first of the actions. The rest is for everything else that Envoy holds. */
const bodyShare = 0.7;

/** Memory that an idle connection may cost, in bytes; measured: about 40 KB with TLS. */
const connectionBytes = 64 * 1024;

/** Where nothing else is said: what the chart gives to Envoy. */
export const defaultEnvoyMemory = '2Gi';

/** The smallest memory for which an Envoy can be rendered: its heap takes about 20 MB without any request. */
export const leastMemoryBytes = 64 * 1024 * 1024;

/**
 * Envoy's overload manager, for an Envoy that may use `memoryBytes` in all. As the heap fills, it gives memory back, closes connections
 * after their request, resets the streams that hold most, and answers 503 to new requests: an Envoy whose memory is used up is killed
 * with every request in it.
 */
export function overloadManager(memoryBytes: number): Json {
  const heap = Math.floor(memoryBytes * heapShare);
  const above = (value: number): Json => ({ name: heapMonitor, threshold: { value } });
  return {
    // Bodies arrive with gigabytes a second inside a node.
    refresh_interval: '0.02s',
    resource_monitors: [
      { name: heapMonitor, typed_config: { '@type': `${monitors}.fixed_heap.v3.FixedHeapConfig`, max_heap_size_bytes: heap } },
      {
        name: 'envoy.resource_monitors.global_downstream_max_connections',
        typed_config: {
          '@type': `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`,
          max_active_downstream_connections: Math.min(limits.envoyRequests, Math.floor(heap / connectionBytes)),
        },
      },
    ],
    // Envoy distinguishes streams by the memory they hold, from 1 MiB on.
    buffer_factory_config: { minimum_account_to_track_power_of_two: 20 },
    actions: [
      { name: 'envoy.overload_actions.shrink_heap', triggers: [above(0.8)] },
      { name: 'envoy.overload_actions.disable_http_keepalive', triggers: [above(0.85)] },
      {
        name: 'envoy.overload_actions.reset_high_memory_stream',
        triggers: [{ name: heapMonitor, scaled: { scaling_threshold: 0.8, saturation_threshold: 0.95 } }],
      },
      { name: 'envoy.overload_actions.stop_accepting_requests', triggers: [above(0.9)] },
    ],
  };
}

/** Largest body that is read as a whole, with room for what comes with it; bytes. */
export const wholeBodyBytes = limits.requestBodyBytes + 1024 * 1024;

/**
 * Most that Envoy reads from a connection before it looks at what it has read; `memoryBytes`: null for no bound. Where its memory is bounded,
 * that of a few hundred connections fits. Bodies have a limit of their own, `wholeBodyBytes`, which counts once their headers were answered.
 */
export function readBytes(memoryBytes: number | null): number {
  return memoryBytes === null ? wholeBodyBytes : Math.min(wholeBodyBytes, Math.max(1024 * 1024, Math.floor(memoryBytes / 512)));
}

/** Bytes that Envoy has for bodies, of `memoryBytes` in all. */
export function bodyRoom(memoryBytes: number): number {
  return Math.floor(memoryBytes * heapShare * bodyShare);
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** Bytes of a quantity in Kubernetes' notation (512Mi, 1Gi, 2000000000); null if it is none. */
export function memoryBytesOf(quantity: string): number | null {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|k|M|G)?$/.exec(quantity.trim()) ?? [];
  return number === undefined ? null : Math.floor(Number(number) * units[unit ?? '']!);
}
