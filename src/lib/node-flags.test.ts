import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allocatorSettings, nodeFlags } from './node-flags.ts';

const [youngGeneration, growth] = nodeFlags;

describe("Node's flags", () => {
  it.each(['bin/sluice', 'scripts/build/load.cjs'])('limit how the heap grows, in %s', (file) => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    expect(text.match(/--heap-growing-percent=\d+/g)).toEqual([growth]);
  });

  it.each(['bin/sluice', 'Containerfile', 'image/pack.sh'])('are those of %s', (file) => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    expect(text.match(/--max-semi-space-size=\d+/g)).toEqual([youngGeneration]);
    const settings = text.matchAll(/\b(MALLOC_[A-Z_]+)=(?:"\$\{MALLOC_[A-Z_]+-)?(\d+)/g);
    expect(Object.fromEntries([...settings].map(([, name, value]) => [name, value]))).toEqual(allocatorSettings);
  });
});
