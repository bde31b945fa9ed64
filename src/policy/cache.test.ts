import { describe, expect, it } from 'vitest';
import { compile, compiled, short } from '../../test/support/policy.ts';

describe('the cache in a policy', () => {
  it('is off unless it is switched on, and a section’s settings replace the defaults’', () => {
    expect(compiled('version: 1\n').section('red', 'openai').cache.enabled).toBe(false);
    const generation = compiled(
      'version: 1\ndefaults: {cache: {mode: on, ttl: 5}}\nsections: [{name: red, match: {workspace: [red]}, cache: {mode: on, share: workspace}}]\n',
    );
    expect(generation.section('blue', 'openai').cache).toMatchObject({ enabled: true, ttl: 5, share: 'credential' });
    expect(generation.section('red', 'openai').cache).toMatchObject({ enabled: true, ttl: 3_600, share: 'workspace' });
  });

  it('names rules that exist, and bounds its numbers', () => {
    const problems = (text: string): string[] => compile(`version: 1\ndefaults: {cache: ${text}}\n`).problems.map(short);
    expect(problems('{mode: on, ttlByRule: {nowhere: 5}}')).toEqual(['unknown-rule 2:51 defaults.cache.ttlByRule.nowhere']);
    expect(problems('{mode: on, coalesce: 500}')).toEqual([expect.stringContaining('defaults.cache.coalesce')]);
    expect(problems('{mode: on, ttl: -1}')).toEqual([expect.stringContaining('defaults.cache.ttl')]);
  });
});
