import { SluiceError } from '../lib/errors.ts';

const oldest = 36;
const newest = 40;

/** Versions for which config can be rendered, oldest first. */
export const envoyVersions: readonly string[] = Array.from({ length: newest - oldest + 1 }, (_, index) => `1.${oldest + index}`);

export const defaultEnvoyVersion = `1.${newest}`;

/** 38 for `1.38` and for `1.38.2`; 0 if it is not a version. */
export function minorOf(version: string): number {
  return Number(/^v?1\.(\d{1,3})(\.\d+(\.post\d+)?)?$/.exec(version)?.[1] ?? 0);
}

/** The minor version, if Sluice has been tried on it or it is newer. Throws SLUICE_CLI_USAGE otherwise. */
export function requireSupported(version: string): number {
  const minor = minorOf(version);
  if (minor < oldest) {
    throw new SluiceError('SLUICE_CLI_USAGE', `${version} is no version of Envoy that Sluice has been tried on.`, {
      where: '--envoy-version',
      fix: `Say one of ${envoyVersions.join(', ')}; a newer one counts as ${defaultEnvoyVersion}.`,
    });
  }
  return minor;
}
