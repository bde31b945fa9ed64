import { Extension } from '@peculiar/x509';

/** The extension of a CA that says for which names it may sign. */
export const nameConstraintsId = '2.5.29.30';

const tags = { sequence: 0x30, permitted: 0xa0, excluded: 0xa1, dnsName: 0x82, ipAddress: 0x87 } as const;

/** These host names, what is below them, and no address: an address and mask of zeros are all addresses, of IPv4 and IPv6. */
export function nameConstraints(hosts: readonly string[]): Extension {
  const subtree = (tag: number, value: Uint8Array): Buffer => der(tags.sequence, der(tag, value));
  const permitted = hosts.map((host) => subtree(tags.dnsName, Buffer.from(host, 'ascii')));
  const excluded = [8, 32].map((bytes) => subtree(tags.ipAddress, new Uint8Array(bytes)));
  return new Extension(nameConstraintsId, true, der(tags.sequence, der(tags.permitted, ...permitted), der(tags.excluded, ...excluded)));
}

/** The host names that such an extension permits. */
export function permittedIn(extension: Uint8Array): string[] {
  const [whole] = elements(extension);
  const [permitted] = whole === undefined ? [] : elements(whole.value);
  if (permitted?.tag !== tags.permitted) return [];
  return elements(permitted.value).flatMap(({ value }) =>
    elements(value)
      .filter(({ tag }) => tag === tags.dnsName)
      .map((name) => Buffer.from(name.value).toString('ascii')),
  );
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), value]);
}

/** What a piece of DER consists of. */
function elements(bytes: Uint8Array): { readonly tag: number; readonly value: Uint8Array }[] {
  const found: { readonly tag: number; readonly value: Uint8Array }[] = [];
  for (let at = 0; at + 1 < bytes.length;) {
    const tag = bytes[at]!;
    const first = bytes[at + 1]!;
    const more = first < 0x80 ? 0 : first & 0x7f;
    let length = first;
    if (more > 0) length = [...bytes.subarray(at + 2, at + 2 + more)].reduce((sum, byte) => sum * 256 + byte, 0);
    const from = at + 2 + more;
    found.push({ tag, value: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return found;
}
