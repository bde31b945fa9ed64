import { renderAnswer } from '../apis/replay.ts';
import type { ApiName, ParsedRequest, Usage } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import type { FallbackTrigger } from '../policy/types.ts';
import type { AnswerView } from '../apis/common/answer-view.ts';
import { viewAnswer } from '../apis/view.ts';
import { requestedSchema } from '../apis/requested-schema.ts';
import { judgeAnswer, type Expectation } from './check-answer.ts';

/** Faults in an answer's form. Closed list. */
export type CheckFault = 'refusal' | 'content-filter' | 'length' | 'empty' | 'bad-tool-call' | 'invalid-json';

/** Result of an answer's checks. */
export interface QualityCheck {
  /** 1 without faults, 0 with any. */
  readonly score: number;
  readonly fault: CheckFault | null;
  /** `whole`: the answer's text was checked; `ending`: only its finish reason. */
  readonly depth: 'whole' | 'ending';
}

/** An app that allows fewer output tokens than this truncates the answer on purpose. */
const cutOnPurpose = 256;

const watched: ReadonlySet<FallbackTrigger> = new Set(['content-filter', 'refusal', 'length', 'empty', 'bad-tool-call', 'invalid-json']);

const endings: Readonly<Record<string, CheckFault>> = {
  length: 'length',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  incomplete: 'length',
  refusal: 'refusal',
  content_filter: 'content-filter',
  safety: 'content-filter',
  recitation: 'content-filter',
  blocklist: 'content-filter',
  prohibited_content: 'content-filter',
  spii: 'content-filter',
};

/** Checks an answer by its finish reason alone. */
export function checkEnding(finishReason: string | null, maxOutputTokens: number | null): QualityCheck {
  const fault = endings[finishReason?.toLowerCase() ?? ''] ?? null;
  const meant = fault === 'length' && maxOutputTokens !== null && maxOutputTokens < cutOnPurpose;
  return result(meant ? null : fault, 'ending');
}

/** Bytes used by all copies of answers. */
let held = 0;

/** Keeps a bounded copy of one answer, to check it when it is complete. */
export class AnswerCopy {
  readonly #api: ApiName;
  readonly #expects: Expectation;
  readonly #maxOutputTokens: number | null;
  #chunks: Buffer[] | null = [];
  #bytes = 0;
  #events = false;

  /** Reads the schema from the request, if it has one: this parses its body. */
  constructor(exchange: Pick<ParsedRequest, 'api' | 'jsonOutput' | 'maxOutputTokens'>, body: Buffer) {
    this.#api = exchange.api;
    this.#maxOutputTokens = exchange.maxOutputTokens;
    this.#expects = {
      jsonOutput: exchange.jsonOutput,
      schema: exchange.jsonOutput === 'schema' && body.length <= limits.gradedAnswerBytes ? requestedSchema(exchange.api, body) : null,
    };
  }

  head(status: number, contentType: string, contentEncoding: string): void {
    this.#events = contentType.startsWith('text/event-stream');
    if (status !== 200 || (contentEncoding !== '' && contentEncoding !== 'identity')) this.drop();
  }

  push(bytes: Uint8Array): void {
    if (this.#chunks === null) return;
    if (this.#bytes + bytes.length > limits.gradedAnswerBytes || held + bytes.length > limits.gradedAnswersBytes) {
      this.drop();
      return;
    }
    this.#bytes += bytes.length;
    held += bytes.length;
    this.#chunks.push(Buffer.from(bytes));
  }

  /** Call once when the exchange is over. Null if there is no complete answer to check. */
  take(usage: Usage | null): CheckedAnswer | null {
    const chunks = this.#chunks;
    this.drop();
    if (chunks === null || chunks.length === 0) return null;
    const copied = Buffer.concat(chunks);
    const body = this.#events ? fromStream(this.#api, copied, usage) : copied;
    return body === null ? null : { api: this.#api, body, expects: this.#expects, maxOutputTokens: this.#maxOutputTokens };
  }

  drop(): void {
    held -= this.#bytes;
    this.#bytes = 0;
    this.#chunks = null;
  }
}

export interface CheckedAnswer {
  readonly api: ApiName;
  /** One JSON object, as in the API's non-streamed answer. */
  readonly body: Buffer;
  readonly expects: Expectation;
  readonly maxOutputTokens: number | null;
}

/** Checks a whole answer. Null if it cannot be read. */
export function checkWhole(answer: CheckedAnswer): QualityCheck | null {
  if (viewOf(answer) === null) return null;
  const fault = judgeAnswer(answer.api, answer.body, answer.expects, watched) as CheckFault | null;
  const meant = fault === 'length' && answer.maxOutputTokens !== null && answer.maxOutputTokens < cutOnPurpose;
  return result(meant ? null : fault, 'whole');
}

/** The text and tool calls of a whole answer; null if it cannot be read. */
export function viewOf({ api, body }: Pick<CheckedAnswer, 'api' | 'body'>): AnswerView | null {
  try {
    return viewAnswer(api, JSON.parse(body.toString('utf8')));
  } catch {
    return null;
  }
}

function result(fault: CheckFault | null, depth: QualityCheck['depth']): QualityCheck {
  return { score: fault === null ? 1 : 0, fault, depth };
}

/** Placeholder usage: only the text is needed. */
const anyUsage: Usage = {
  convention: { cachedRead: 'subset', cacheWrite: 'subset', reasoning: 'subset', audio: 'subset' },
  input: 0,
  cachedRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  audioInput: 0,
  output: 0,
  reasoning: 0,
  audioOutput: 0,
  totalInput: 0,
  totalOutput: 0,
  raw: '{}',
};

/** The answer assembled from a stream; null if that is not possible. */
function fromStream(api: ApiName, body: Buffer, usage: Usage | null): Buffer | null {
  return renderAnswer({ api, form: 'sse', body, usage: usage ?? anyUsage }, { form: 'json', includeUsage: true })?.body ?? null;
}
