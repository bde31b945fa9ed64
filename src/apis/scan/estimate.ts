import { limits } from '../../lib/limits.ts';
import { tokenWeights } from './token-weights.ts';
import { TokenCounter } from './tokens.ts';

/** Reading is synchronous, so all requests share it. */
const counter = new TokenCounter();

/** A long text is sampled in windows of this many bytes at even distances. */
const windowBytes = 1_024;

/**
 * Estimated tokens of `bytes` bytes of text in the body at `spans` ([start, end, escaped] for each part). Up to `limits.tokenSampleBytes`
 * all of it is read; beyond that, windows with about that total. `weights` are those of the model's tokenizer.
 */
export function textTokens(
  body: Uint8Array,
  parts: readonly { readonly spans: readonly number[] }[],
  bytes: number,
  weights: ArrayLike<number> = tokenWeights.o200k,
): number {
  if (bytes === 0) return 0;
  const period = bytes <= limits.tokenSampleBytes ? Infinity : windowBytes * Math.ceil(bytes / limits.tokenSampleBytes);
  const width = period === Infinity ? Infinity : windowBytes;
  counter.reset();
  let read = 0;
  // The parts count as one concatenated text: each begins `behind` bytes after the beginning of a window.
  let behind = 0;
  for (let part = 0; part < parts.length; part++) {
    const { spans } = parts[part]!;
    for (let i = 0; i < spans.length; i += 3) {
      const start = spans[i]!;
      const end = spans[i + 1]!;
      for (let at = start - behind; at < end; at += period) {
        const from = Math.max(start, at);
        const to = Math.min(end, at + width);
        if (from >= to) continue;
        counter.add(body, from, to);
        read += to - from;
      }
      behind += end - start;
      if (behind >= period) behind %= period;
    }
  }
  return read === 0 ? 0 : (counter.tokens(weights) * bytes) / read;
}
