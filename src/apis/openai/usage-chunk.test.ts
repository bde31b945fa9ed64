import { expect, it } from 'vitest';
import { limits } from '../../lib/limits.ts';
import { UsageChunkFilter } from './usage-chunk.ts';

const content = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"say \\"usage\\" and \\"choices\\":[]"}}],"usage":null}\n\n';
const counted = 'data: {"id":"c", "choices" : [], "usage":{"prompt_tokens":5}}\n\n';
const rest = ': a comment\n\ndata: {"choices":[],"prompt_filter_results":[]}\n\ndata: [DONE]\n\n';

function filtered(text: string, size: number): string {
  const filter = new UsageChunkFilter();
  const bytes = Buffer.from(text);
  let out = '';
  for (let at = 0; at < bytes.length; at += size) out += filter.push(bytes.subarray(at, at + size)).toString();
  return out + filter.end().toString();
}

it.each([1, 2, 7, 50, 10_000])('takes the chunk that only counts, and nothing else, in pieces of %i bytes', (size) => {
  expect(filtered(content + counted + rest, size)).toBe(content + rest);
  const windows = (content + counted + rest).replaceAll('\n', '\r\n');
  expect(filtered(windows, size)).toBe((content + rest).replaceAll('\n', '\r\n'));
});

it('takes it at the very end, too, and leaves what is no event', () => {
  expect(filtered(content + counted.trimEnd(), 9)).toBe(content);
  expect(filtered('no events at all', 3)).toBe('no events at all');
});

it('holds no event that is too long', () => {
  const long = `data: {"choices":[],"usage":{"a":"${'x'.repeat(2 * limits.sseEventBytes)}"}}\n\n`;
  expect(filtered(long + counted + content, 65_536)).toBe(long + content);
});
