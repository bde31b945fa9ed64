import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allocatorSettings, nodeFlags } from './node-flags.ts';

describe("Node's flags", () => {
  it.each(['bin/sluice', 'Containerfile', 'image/pack.sh'])('are those of %s', (file) => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    expect(text.match(/--max-semi-space-size=\d+/g)).toEqual(nodeFlags);
    const settings = text.matchAll(/\b(MALLOC_[A-Z_]+)=(?:"\$\{MALLOC_[A-Z_]+-)?(\d+)/g);
    expect(Object.fromEntries([...settings].map(([, name, value]) => [name, value]))).toEqual(allocatorSettings);
  });
});
