import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { SluiceError } from '../lib/errors.ts';
import { readText } from '../lib/read-file.ts';
import { limits } from '../lib/limits.ts';
import { certificateBlocks } from '../lib/pem.ts';

const certificatesOf = (text: string): X509Certificate[] => certificateBlocks(text).map((each) => new X509Certificate(each));

/**
 * A company's own CAs, from files with PEM certificates that may change at any time: a mounted ConfigMap, Secret or bundle of trust-manager.
 * Public CAs among them are left out, because the bundle of a pod has those anyway, and a variable that carries all of them would be too long
 * for the kernel.
 */
export class ExtraCas {
  readonly #files: readonly string[];
  readonly #onProblem: (error: unknown) => void;
  #text = '';
  #good = '';

  /** Throws where a file cannot be read or holds no certificate. */
  constructor(files: readonly string[], onProblem: (error: unknown) => void) {
    this.#files = files;
    this.#onProblem = onProblem;
    this.#read();
  }

  /** PEM of them as they are now; the last good ones if they cannot be read any more. */
  current(): string {
    try {
      this.#read();
    } catch (error) {
      this.#onProblem(error);
    }
    return this.#good;
  }

  #read(): void {
    const texts = this.#files.map(readText);
    const text = texts.join('\n');
    if (text === this.#text) return;
    const own = new Map<string, string>();
    for (const [index, each] of texts.entries())
      for (const certificate of readCertificates(each, this.#files[index]!))
        own.set(certificate.fingerprint256, certificate.toString().trim());
    for (const fingerprint of publicFingerprints()) own.delete(fingerprint);
    const good = [...own.values()].join('\n');
    if (good.length > limits.egressCaBytes)
      throw new SluiceError(
        'SLUICE_CLI_USAGE',
        `they are ${good.length} bytes without public CAs; a pod's variable holds ${limits.egressCaBytes}.`,
        { where: '--egress-extra-ca' },
      );
    [this.#text, this.#good] = [text, good];
  }
}

function readCertificates(text: string, file: string): X509Certificate[] {
  let found: X509Certificate[] = [];
  try {
    found = certificatesOf(text);
  } catch {
    // Said below, as for a file without any.
  }
  if (found.length === 0) throw new SluiceError('SLUICE_FILE_UNREADABLE', 'it holds no PEM certificate that can be read.', { where: file });
  return found;
}

let known: ReadonlySet<string> | null = null;
/** Of Node's own CAs, which `sluice ca-bundle` writes. */
function publicFingerprints(): ReadonlySet<string> {
  return (known ??= new Set(rootCertificates.map((each) => new X509Certificate(each).fingerprint256)));
}
