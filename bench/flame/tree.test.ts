import { describe, expect, it } from 'vitest';
import { flameSvg, joined } from './tree.ts';

const stacks = [
  { samples: 6, path: ['(root) :0', 'onData node:net:190', 'decide src/decide/decide.ts:12', 'classify<T> src/classifier/index.ts:8'] },
  { samples: 2, path: ['(root) :0', 'onData node:net:190', 'decide src/decide/decide.ts:12'] },
  { samples: 2, path: ['(root) :0', '(garbage collector) :0'] },
  { samples: 90, path: ['(root) :0', '(idle) :0'] },
];

describe('a flame graph', () => {
  it('joins stacks that begin alike, without the time that nothing was done', () => {
    const root = joined(stacks);
    expect(root.samples).toBe(10);
    const data = root.under.get('onData node:net:190')!;
    expect([data.samples, data.under.get('decide src/decide/decide.ts:12')!.samples]).toEqual([8, 8]);
    expect(root.under.get('(garbage collector)')!.samples).toBe(2);
  });

  it('draws frames as wide as their share, callers below, with names that are text', () => {
    const svg = flameSvg(joined(stacks), 'a < b');
    expect(svg).toContain('a &lt; b');
    const frame = (name: string): { x: number; y: number; width: number } => {
      const found = new RegExp(`<title>${name}[^<]*</title><rect x="([\\d.]+)" y="(\\d+)" width="([\\d.]+)"`).exec(svg)!;
      return { x: Number(found[1]), y: Number(found[2]), width: Number(found[3]) };
    };
    expect(frame('main thread').width).toBeCloseTo(1_199.4);
    expect(frame('decide').width).toBeCloseTo(959.4);
    expect(frame('classify&lt;T&gt;').width).toBeCloseTo(719.4);
    expect(frame('decide').x).toBe(frame('onData').x);
    expect(frame('decide').y).toBeLessThan(frame('onData').y);
  });

  it('leaves out what would be too narrow to see', () => {
    const many = [...stacks, { samples: 10_000, path: ['(root) :0', 'wide src/a.ts:1'] }];
    expect(flameSvg(joined(many), '')).not.toContain('classify');
  });
});
