import type { AnswerFacts } from './common/answer-facts.ts';
import { isObject } from './common/deltas.ts';
import { apis } from './registry.ts';
import { textTokens } from './scan/estimate.ts';
import type { ApiName, SeenAnswer, Usage, UsageConvention } from './types.ts';

/** What was seen of a stream whose usage is unknown, estimated from the texts of its first events and the bytes of all events. */
export function seenOf(api: ApiName, facts: AnswerFacts, said: Usage | null): SeenAnswer {
  const { deltas } = apis[api].answer;
  let texts = '';
  let pieces = 0;
  let sampled = 0;
  for (const end of facts.sampleEnds) {
    const event = parsed(facts.sample!.subarray(sampled, end));
    sampled = end;
    if (deltas === null || !isObject(event)) continue;
    for (const { text } of deltas(event, false).deltas) {
      if (text === '') continue;
      texts += text;
      pieces++;
    }
  }
  const bytes = Buffer.from(texts);
  // Each event with text has at least one token.
  const tokens = Math.max(pieces, textTokens(bytes, [{ spans: [0, bytes.length, 0] }], bytes.length));
  const share = sampled === 0 || sampled >= facts.eventBytes ? 1 : facts.eventBytes / sampled;
  return { output: Math.ceil(tokens * share), bytes: facts.eventBytes, said };
}

function parsed(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    return null;
  }
}

/** How to count usage that nobody reported: none of its parts is known. */
const plain: UsageConvention = { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' };

/** The usage that was seen: the input that the provider reported, otherwise `prompt` tokens, and the output that passed. */
export function usageSeen({ output, said }: SeenAnswer, prompt: number): Usage {
  const input = said ?? {
    convention: plain,
    input: prompt,
    cachedRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    audioInput: 0,
    totalInput: prompt,
  };
  const total = Math.max(output, said?.totalOutput ?? 0);
  return { ...input, output: total, reasoning: 0, audioOutput: 0, totalOutput: total, raw: '' };
}
