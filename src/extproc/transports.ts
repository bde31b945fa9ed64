import { FramesTransport } from './frames-transport.ts';
import type { Transport } from './types.ts';

/** `frames`: our own HTTP/2 frames. `grpc`: grpc-js, with server reflection. Each serves Unix sockets and TCP. */
export const transportNames = ['frames', 'grpc'] as const;
export type TransportName = (typeof transportNames)[number];

/** `memoryBytes`: bound of what `frames` holds of all connections together. */
export async function makeTransport(name: TransportName, memoryBytes: number): Promise<Transport> {
  // Loaded only where it is asked for: it takes a good part of a start.
  return name === 'grpc' ? new (await import('./grpc-transport.ts')).GrpcTransport() : new FramesTransport({ memoryBytes });
}
