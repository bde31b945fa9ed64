/** Writes the manifests in deploy/ as `sluice render` prints them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { deployFiles } from '../src/attach/deploy.ts';

for (const [path, text] of await deployFiles()) {
  const file = new URL(`../${path}`, import.meta.url);
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, text);
}
