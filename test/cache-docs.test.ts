import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadCatalog } from '../src/catalog/index.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import { compileCache } from '../src/policy/options/cache.ts';

const page = readFileSync(new URL('../docs/cache.md', import.meta.url), 'utf8');

describe('docs/cache.md', () => {
  it('shows policies that are good', async () => {
    const texts = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
    expect(texts.length).toBeGreaterThan(0);
    const catalog = await loadCatalog();
    for (const text of texts) expect(compilePolicy([{ name: 'policy.yaml', text }], { catalog }).problems).toEqual([]);
  });

  it('names the defaults', () => {
    const { ttl, maxN, maxTemperature, maxAnswerBytes, coalesce, enabled, finish } = compileCache({});
    expect({ ttl, maxN, maxTemperature, maxAnswerBytes, coalesce, enabled, finish: [...finish] }).toEqual({
      ttl: 3_600,
      maxN: 1,
      maxTemperature: 1,
      maxAnswerBytes: 1024 * 1024,
      coalesce: 30,
      enabled: false,
      finish: ['stop', 'tools'],
    });
    for (const said of [
      '3600 is the default',
      '`maxN` answers at once (1)',
      '`maxTemperature` (1)',
      '`maxAnswerBytes` (1 MiB)',
      '`coalesce` seconds (30;',
    ])
      expect(page).toContain(said);
  });
});
