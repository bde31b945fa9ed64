import { randomUUID } from 'node:crypto';
import type { Gateway } from '../../src/exchange/plans.ts';
import { RequestStream } from '../../src/extproc/request-stream.ts';
import { makeTransport, transportNames, type TransportName } from '../../src/extproc/transports.ts';
import { limits } from '../../src/lib/limits.ts';
import { Http2Transport } from './http2-transport.ts';

/**
 * `server.ts NAME SOCKET`: a transport in front of a gateway that reads each body and lets it pass as it came: what remains is the cost of
 * the transport and the codec.
 */
const [name, socket] = process.argv.slice(2);

const gateway: Gateway = {
  requestHeaders: () => ({
    kind: 'read-body',
    handler: { take: () => ({ kind: 'forward', metadata: { id: randomUUID(), answer: 'log' } }), aborted: () => undefined },
  }),
  responseHeaders: () => ({ kind: 'ignore' }),
  logged: () => undefined,
};

const transport =
  name === 'http2'
    ? new Http2Transport()
    : await makeTransport(transportNames.find((each) => each === name) as TransportName, { memoryBytes: limits.transportMemoryBytes });
await transport.listen(`unix:${socket!}`, {
  process: (stream) => new RequestStream(stream, gateway, () => undefined),
  logged: () => undefined,
  awaitsLog: () => false,
  told: (event, error) => {
    if (event !== 'request-aborted') process.stderr.write(`${event}: ${String(error)}\n`);
  },
});
