import { createHash, X509Certificate } from 'node:crypto';
import { certificateBlocks } from './pem.ts';

/** What Java gives for a trust store without a password of one's own. It is no secret: a store of CAs has none. */
const password = 'changeit';

/** PEM certificates as a Java trust store in JKS, which every version of Java reads. Throws if a certificate cannot be read. */
export function trustStoreOf(bundle: string): Buffer {
  const certificates = certificateBlocks(bundle).map((pem) => new X509Certificate(pem).raw);
  const entries = certificates.map((raw, index) =>
    // A trusted certificate: its alias, its date of creation (none), its kind, its length and itself.
    Buffer.concat([number(2), text(`ca-${index}`), Buffer.alloc(8), text('X.509'), number(raw.length), raw]),
  );
  const store = Buffer.concat([number(0xfe_ed_fe_ed), number(2), number(entries.length), ...entries]);
  const wide = Buffer.from(password, 'utf16le').swap16();
  return Buffer.concat([store, createHash('sha1').update(wide).update('Mighty Aphrodite').update(store).digest()]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([length, Buffer.from(value, 'ascii')]);
}
