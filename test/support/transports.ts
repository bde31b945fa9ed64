import { transportNames } from '../../src/extproc/transports.ts';

/** Each transport on each kind of address. */
export const transportCases = transportNames.flatMap((transport) =>
  [false, true].map((tcp) => ({ transport, tcp, title: `${transport} on ${tcp ? 'TCP' : 'a Unix socket'}` })),
);
