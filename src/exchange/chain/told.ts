import { readAnswer } from '../../apis/index.ts';
import { toldJson } from '../../apis/told-json.ts';
import type { Answer, AnswerHead, AnswerReader, ApiName } from '../../apis/types.ts';
import type { HeaderMap, HeaderMutation } from '../../lib/headers.ts';
import { limits } from '../../lib/limits.ts';
import type { InAnswer, TargetRef } from '../../policy/types.ts';
import { costOf } from '../../route/savings.ts';
import type { AnswerPass, AnswerPlan, AnswerRetry, Attempt, AttemptRequest, RelayStep, StreamRelay } from '../plans.ts';
import type { ChainRun } from './run.ts';
import { withoutLength } from './relays.ts';
import { answerOf, plainOf } from './verdicts.ts';

/** The response header with a whole answer's cost in US dollars, or `unknown`. */
export const costHeader = 'x-sluice-cost';

/** What Sluice adds to an answer for its app. */
export interface Telling {
  readonly id: string;
  readonly says: InAnswer;
}

/** An attempt that adds the decision's id, its cost, or both to the answer, as the policy says. Errors stay as they are. */
export class ToldAttempt implements Attempt {
  readonly #inner: Attempt;
  readonly #run: ChainRun;
  readonly #target: TargetRef;
  /** The API of the target. */
  readonly #api: ApiName;
  readonly #telling: Telling;

  constructor(inner: Attempt, run: ChainRun, target: TargetRef, { api, telling }: { readonly api: ApiName; readonly telling: Telling }) {
    this.#inner = inner;
    this.#run = run;
    this.#target = target;
    this.#api = api;
    this.#telling = telling;
  }

  request(body: Buffer): AttemptRequest {
    return this.#inner.request(body);
  }

  answer(headers: HeaderMap, endOfStream: boolean): AnswerPlan {
    const plan = this.#inner.answer(headers, endOfStream);
    const status = Number(headers.get(':status') ?? 0);
    if (status >= 400 || endOfStream || plan.kind === 'retry') return plan;
    const head: AnswerHead = {
      api: this.#api,
      status,
      contentType: headers.get('content-type') ?? '',
      contentEncoding: headers.get('content-encoding') ?? '',
      usageNotAsked: false,
    };
    const events = head.contentType.toLowerCase().startsWith('text/event-stream');
    if (plan.kind === 'relay' || (events && plan.kind === 'pass')) {
      const inner = plan.kind === 'relay' ? plan.relay : new PlainRelay(plan);
      return { kind: 'relay', relay: new ToldStream(inner, head, this.#telling, (answer) => this.#cost(answer)) };
    }
    if (plan.kind === 'whole') {
      return { ...plan, judge: (body) => this.#whole(head, body, plan.judge(body)) };
    }
    return { kind: 'whole', maxBytes: limits.answerBytes, judge: (body) => this.#whole(head, body, plan) };
  }

  closed(cancelled: boolean): void {
    this.#inner.closed(cancelled);
  }

  #whole(head: AnswerHead, sent: Buffer, verdict: AnswerPass | AnswerRetry): AnswerPass | AnswerRetry {
    if (verdict.kind === 'retry') return verdict;
    const { says, id } = this.#telling;
    const cost = says.cost ? [[costHeader, this.#cost(answerOf(head, sent))] as const] : [];
    const headers: HeaderMutation = { set: [...(verdict.headers?.set ?? []), ...cost], remove: verdict.headers?.remove ?? [] };
    const body = verdict.body ?? plainOf(head, sent);
    const told = says.decision ? toldJson(body, id) : body;
    if (told === body) return { ...verdict, headers };
    const decoded = verdict.body === undefined && body !== sent ? ['content-encoding'] : [];
    const { set, remove } = withoutLength(headers);
    return { ...verdict, headers: { set, remove: [...remove, ...decoded] }, body: told };
  }

  /** US dollars of all attempts, or `unknown`. */
  #cost({ usage }: Answer): string {
    const costs = [...this.#run.ended.map(({ cost }) => cost), costOf(this.#run.facts.generation, this.#target, usage)];
    let usd = 0;
    for (const cost of costs) {
      if (!cost.known) return 'unknown';
      usd += cost.usd;
    }
    return writtenUsd(usd);
  }
}

/** Dollars with at most nine decimals, never with an exponent. */
function writtenUsd(usd: number): string {
  return usd.toFixed(9).replace(/\.?0+$/, '');
}

/** A stream that nothing else changes. */
class PlainRelay implements StreamRelay {
  readonly #headers: HeaderMutation | undefined;
  #begun = false;

  constructor({ headers }: AnswerPass) {
    this.#headers = headers;
  }

  push(bytes: Buffer): RelayStep {
    if (this.#begun || this.#headers === undefined) return { kind: 'go', bytes };
    this.#begun = true;
    return { kind: 'go', bytes, headers: this.#headers };
  }

  end(): RelayStep {
    return { kind: 'go', bytes: Buffer.alloc(0) };
  }
}

/** Comments at the beginning and the end of an event stream; parsers of event streams skip them. */
class ToldStream implements StreamRelay {
  readonly #inner: StreamRelay;
  readonly #telling: Telling;
  readonly #reader: AnswerReader | null;
  readonly #events: boolean;
  readonly #cost: (answer: Answer) => string;
  #begun = false;
  /** The app gets another form than events: Gemini's lists. */
  #silent = false;

  constructor(inner: StreamRelay, head: AnswerHead, telling: Telling, cost: (answer: Answer) => string) {
    this.#inner = inner;
    this.#telling = telling;
    this.#events = head.contentType.toLowerCase().startsWith('text/event-stream');
    this.#reader = telling.says.cost ? readAnswer(head) : null;
    this.#cost = cost;
  }

  push(bytes: Buffer): RelayStep {
    this.#reader?.push(bytes);
    return this.#told(this.#inner.push(bytes), '');
  }

  end(): RelayStep {
    const step = this.#inner.end();
    return this.#told(step, this.#reader === null ? '' : `: sluice-cost ${this.#cost(this.#reader.end(true))}\n\n`);
  }

  #told(step: RelayStep, last: string): RelayStep {
    if (step.kind !== 'go') return step;
    let first = '';
    if (!this.#begun) {
      this.#begun = true;
      const type = step.headers?.set.find(([name]) => name === 'content-type')?.[1];
      this.#silent = type === undefined ? !this.#events : !type.toLowerCase().startsWith('text/event-stream');
      if (this.#telling.says.decision) first = `: sluice-decision ${this.#telling.id}\n\n`;
    }
    if (this.#silent || first + last === '') return step;
    return { ...step, bytes: Buffer.concat([Buffer.from(first), step.bytes, Buffer.from(last)]), headers: withoutLength(step.headers) };
  }
}
