/** Envoy's form of an address that it listens on: `host:port`, or `[v6]:port`. */
export function socketAddress(address: string): Readonly<Record<string, unknown>> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  // All addresses of the machine, of both kinds.
  const both = host === '::' ? { ipv4_compat: true } : {};
  return { socket_address: { address: host, port_value: Number(address.slice(colon + 1)), ...both } };
}
