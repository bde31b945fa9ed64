/** Envoy's form of an address that it listens on: `host:port`, or `[v6]:port`. */
export function socketAddress(address: string): Readonly<Record<string, unknown>> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  // All addresses of the machine, of both kinds.
  const both = host === '::' ? { ipv4_compat: true } : {};
  return { socket_address: { address: host, port_value: Number(address.slice(colon + 1)), ...both } };
}

/** Where a listener at `address` listens too, for the time when its Service has no ready pod: one port above. */
export function sparePort(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1)) + 1;
}

/** That as an address on which Envoy listens too. */
export function spareAddress(address: string): Readonly<Record<string, unknown>> {
  return { address: socketAddress(`${address.slice(0, address.lastIndexOf(':'))}:${sparePort(address)}`) };
}
