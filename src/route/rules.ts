import type { Shape } from '../apis/shape/types.ts';
import type { CompiledRule, Directive, RuleInput } from '../policy/types.ts';
import { AskedRule } from './asked-rule.ts';
import type { Candidates } from './candidates.ts';
import { withFallback, type Choice } from './choice.ts';
import { best, fromTable } from './table.ts';
import type { DecisionReason } from './types.ts';

/** A shape, and what asks for it. */
export type NamedShape = readonly [by: string, shape: Shape];

const noShapes: readonly NamedShape[] = [];

/** The policy's rules in one decision: sensitivity, overrides and rules. */
export class Rules {
  readonly #candidates: Candidates;
  /** What rules read; made for the first of them. */
  #asked: RuleInput | null = null;
  /** The same with the classified task, if the caller states another one; null if it does not. */
  readonly #classified: RuleInput | null;
  #shapes: NamedShape[] | null = null;

  constructor(candidates: Candidates) {
    const { input, requestedEntry } = candidates;
    const { verdict } = input;
    const { classifiedTask } = verdict;
    this.#candidates = candidates;
    this.#classified =
      classifiedTask === undefined || classifiedTask === verdict.task
        ? null
        : new AskedRule(input, { ...verdict, task: classifiedTask }, requestedEntry);
  }

  /** Shapes from rules, with or without a target, each with the rule's name. */
  get shapes(): readonly NamedShape[] {
    return this.#shapes ?? noShapes;
  }

  /** What a sensitivity pattern of the section demands of this request. */
  sensitivity(): Choice | null {
    const candidates = this.#candidates;
    const { sensitive, section, verdict } = candidates.input;
    for (let at = 0; at < section.sensitivity.length; at++) {
      const rule = section.sensitivity[at]!;
      if (sensitive?.[at] !== true || rule.then.kind === 'mask') continue;
      if (rule.then.kind === 'block') return candidates.block(rule.name, rule.then.message);
      const target = candidates.explicit(rule.then.target, verdict.tier);
      if (target !== null) return candidates.take(target, 'sensitivity', rule.name, verdict.tier);
      // The policy allows only the secure model for this data. If it cannot take the request, nothing else may.
      const why = candidates.reports.at(-1)?.disqualified ?? 'unreachable';
      return candidates.block(rule.name, `The model for sensitive data cannot take this request (${why}).`);
    }
    return null;
  }

  /** The choice of the first rule of a list that matches and can be followed. */
  first(list: 'overrides' | 'rules'): Choice | null {
    const rules = this.#candidates.input.section[list];
    for (let at = 0; at < rules.length; at++) {
      const rule = rules[at]!;
      if (!this.#applies(rule.then) || !this.#matches(rule)) continue;
      if (rule.then.kind === 'shape') {
        this.#wantsShape(rule);
        continue;
      }
      const choice = this.#follow(rule.then, rule.kind, rule.name);
      if (choice === null) continue;
      this.#wantsShape(rule);
      // Callers can set these headers freely, so a rule that depends on one does not lift a later block.
      return (this.#hinted(rule) && choice.action !== 'block' ? this.#blocked(list, at + 1) : null) ?? choice;
    }
    return null;
  }

  /** Keeps the requested model unless a block matches: a caller cannot bypass a block. */
  unlessBlocked(reason: DecisionReason): Choice {
    return this.#blocked('overrides', 0) ?? this.#candidates.keep(reason);
  }

  /** A block also applies to the classified task, whatever task the caller states. */
  #matches(rule: CompiledRule): boolean {
    const { input, requestedEntry } = this.#candidates;
    this.#asked ??= new AskedRule(input, input.verdict, requestedEntry);
    return rule.matches(this.#asked) || (this.#classified !== null && rule.then.kind === 'block' && rule.matches(this.#classified));
  }

  /** Whether a rule may match only because of what the caller states. */
  #hinted(rule: CompiledRule): boolean {
    return rule.hinted || (rule.readsTask && this.#classified !== null);
  }

  /**
   * The first matching block from a position in the overrides or rules. Only a `keep` that does not depend on the caller takes precedence.
   */
  #blocked(list: 'overrides' | 'rules', from: number): Choice | null {
    const { section } = this.#candidates.input;
    for (const rule of [...section[list].slice(from), ...(list === 'overrides' ? section.rules : [])]) {
      const { then } = rule;
      if ((then.kind !== 'block' && then.kind !== 'keep') || (then.kind === 'keep' && this.#hinted(rule)) || !this.#matches(rule)) continue;
      return then.kind === 'block' ? this.#candidates.block(rule.name, then.message) : null;
    }
    return null;
  }

  /** Tiers do not apply to embeddings and token counts: only rules that name a model, keep or block do. */
  #applies(directive: Directive): boolean {
    return (
      this.#candidates.input.exchange.operation === 'generate' ||
      (directive.kind !== 'tier' && directive.kind !== 'best' && directive.kind !== 'shape')
    );
  }

  #follow(directive: Directive, reason: 'override' | 'rule', rule: string): Choice | null {
    const candidates = this.#candidates;
    const { verdict } = candidates.input;
    switch (directive.kind) {
      case 'block':
        return candidates.block(rule, directive.message);
      case 'keep':
        return candidates.keep('kept-by-rule', verdict.tier, rule);
      case 'shape':
        return null;
      case 'model': {
        const target = candidates.explicit(directive.target, verdict.tier);
        return target === null ? null : withFallback(candidates.take(target, reason, rule, verdict.tier), directive.fallback);
      }
      case 'tier':
        return withFallback(fromTable(candidates, directive.tier, true, reason, rule), directive.fallback);
      case 'best':
        return withFallback(best(candidates, reason, rule), directive.fallback);
    }
  }

  #wantsShape({ kind, name, shape }: CompiledRule): void {
    if (shape !== null) (this.#shapes ??= []).push([`${kind} ${name}`, shape]);
  }
}
