import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeFlags } from './node-flags.ts';

describe("Node's flags", () => {
  it.each(['bin/sluice', 'Containerfile', 'image/pack.sh'])('are those of %s', (file) => {
    expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').match(/--max-semi-space-size=\d+/g)).toEqual(nodeFlags);
  });
});
