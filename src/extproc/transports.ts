import { FramesTransport } from './frames-transport.ts';
import type { Transport } from './types.ts';

/** `frames`: our own HTTP/2 frames. `grpc`: grpc-js, with server reflection. Each serves Unix sockets and TCP. */
export const transportNames = ['frames', 'grpc'] as const;
export type TransportName = (typeof transportNames)[number];

/** `memoryBytes`: bound of what all connections hold together. `shared` and `replaces` are for `frames` alone. */
export async function makeTransport(
  name: TransportName,
  options: { readonly memoryBytes: number; readonly shared?: boolean; readonly replaces?: boolean },
): Promise<Transport> {
  // Loaded only where it is asked for: it takes a good part of a start.
  return name === 'grpc'
    ? new (await import('./grpc-transport.ts')).GrpcTransport({ memoryBytes: options.memoryBytes })
    : new FramesTransport(options);
}
