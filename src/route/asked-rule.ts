import type { ModelEntry } from '../catalog/types.ts';
import type { RuleInput } from '../policy/types.ts';
import { catalogModel } from './capabilities.ts';
import type { DecideInput } from './types.ts';

/** What the rules read; the other names of the model are looked up only for a rule that asks for them. */
export class AskedRule implements RuleInput {
  readonly verdict: RuleInput['verdict'];
  readonly #input: DecideInput;
  readonly #entry: ModelEntry | null;

  constructor(input: DecideInput, verdict: RuleInput['verdict'], entry: ModelEntry | null) {
    this.verdict = verdict;
    this.#input = input;
    this.#entry = entry;
  }

  get exchange(): RuleInput['exchange'] {
    return this.#input.exchange;
  }

  get caller(): RuleInput['caller'] {
    return this.#input.caller;
  }

  get provider(): string {
    return this.#input.provider.name;
  }

  get knownAs(): readonly string[] {
    const { exchange, provider } = this.#input;
    return [catalogModel(provider, exchange.model), ...(this.#entry === null ? [] : [this.#entry.model]), ...(exchange.otherModels ?? [])];
  }
}
