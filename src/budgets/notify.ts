import { readFile } from 'node:fs/promises';
import { limits } from '../lib/limits.ts';
import type { BudgetEvent } from './budgets.ts';
import { cents } from '../record/columns.ts';
import { valuesOf } from './facts.ts';
import { nano, type Webhook } from '../policy/budget-types.ts';

export interface NotifierOptions {
  /** For metrics and the log. `dropped`: too many messages were waiting. */
  readonly onResult: (budget: string, result: 'sent' | 'failed' | 'dropped', error: string | null) => void;
  /** Delays before retries of a message, in ms. */
  readonly waits?: readonly number[];
  readonly now?: () => number;
}

/** Timeout of one attempt, in ms. */
const tryMs = 5_000;

/** Sends messages to webhooks with a few retries. Never waits on the request path. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #abort = new AbortController();
  #waiting = 0;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  send(event: BudgetEvent, webhooks: ReadonlyMap<string, Webhook>): void {
    for (const name of event.budget.notify) {
      const webhook = webhooks.get(name);
      if (webhook === undefined) continue;
      if (this.#waiting >= limits.budgetMessages) {
        this.#options.onResult(event.budget.name, 'dropped', null);
        continue;
      }
      this.#waiting++;
      const body = JSON.stringify(webhook.format === 'slack' ? slack(event) : message(event, (this.#options.now ?? Date.now)()));
      void this.#deliver(webhook, body)
        .then((error) => this.#options.onResult(event.budget.name, error === null ? 'sent' : 'failed', error))
        .finally(() => this.#waiting--);
    }
  }

  close(): void {
    this.#abort.abort();
  }

  /** Null if the message was accepted, else the last error. */
  async #deliver(webhook: Webhook, body: string): Promise<string | null> {
    let error = '';
    for (const wait of [0, ...(this.#options.waits ?? [1_000, 10_000, 60_000])]) {
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait).unref());
      if (this.#abort.signal.aborted) return 'stopped';
      try {
        const url = webhook.url ?? (await readFile(webhook.file ?? '', 'utf8')).trim();
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          redirect: 'error',
          signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(tryMs)]),
        });
        await response.body?.cancel();
        if (response.ok) return null;
        error = `it answered ${response.status}`;
        // A retry would not help.
        if (response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429) return error;
      } catch (caught) {
        // The URL may be a secret, so only the kind of failure is kept.
        error =
          caught instanceof Error
            ? `${caught.name}${caught.cause instanceof Error && 'code' in caught.cause ? ` ${String(caught.cause.code)}` : ''}`
            : 'failed';
      }
    }
    return error;
  }
}

/** The generic format, described in docs/budgets.md. */
export function message({ kind, budget, counter, percent, state }: BudgetEvent, now: number): object {
  return {
    type: 'sluice.budget',
    event: kind,
    budget: budget.name,
    of: valuesOf(budget, counter),
    percent,
    period: { kind: budget.period, start: new Date(counter.start).toISOString(), end: new Date(counter.end).toISOString() },
    limitUsd: budget.limit / nano,
    spentUsd: state.spent / nano,
    reservedUsd: state.reserved / nano,
    at: new Date(now).toISOString(),
    // The same for every copy of the message, so that receivers can remove duplicates.
    key: `${counter.id} ${kind} ${percent ?? ''}`.trim(),
  };
}

/** For Slack's incoming webhooks. */
export function slack(event: BudgetEvent): object {
  const { budget, counter, percent, state } = event;
  const of = Object.entries(valuesOf(budget, counter)).map(([key, value]) => `${key} ${value}`);
  const name = escape(`${budget.name}${of.length === 0 ? '' : ` (${of.join(', ')})`}`);
  const usd = (amount: number): string => cents(amount / nano);
  const until = `Its ${budget.period} ends <!date^${Math.floor(counter.end / 1000)}^{date_short_pretty} {time}|${new Date(counter.end).toISOString()}>.`;
  const what = {
    threshold: `:warning: Budget *${name}* has passed ${percent ?? 0}%: ${usd(state.spent)} of ${usd(budget.limit)}. ${until}`,
    cheaper: `:arrow_down: Budget *${name}* is nearly used up: ${[...(budget.hard?.cheaper == null ? [] : [`requests go to the ${budget.hard.cheaper} tier`]), ...(budget.hard?.shape == null ? [] : ['what they ask for is capped'])].join(', ')}. ${usd(state.spent + state.reserved)} of ${usd(budget.limit)}. ${until}`,
    refused: `:no_entry: Budget *${name}* is used up: requests are refused. ${usd(state.spent + state.reserved)} of ${usd(budget.limit)}. ${until}`,
  }[event.kind];
  return { text: what };
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
