import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

/** A Chromium that is installed: the one of $SLUICE_CHROMIUM, or Debian's (scripts/setup.sh installs it when it may). */
export const chromiumPath =
  [process.env['SLUICE_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => path !== undefined && existsSync(path)) ??
  null;

export function launch(): Promise<Browser> {
  if (chromiumPath === null) throw new Error('no Chromium is installed');
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu'] });
}
