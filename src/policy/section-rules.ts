import { tiers } from '../classify/types.ts';
import { broadMatch } from './broad-patterns.ts';
import { celAdvice } from './cel-advice.ts';
import { compileConditions, covers } from './conditions.ts';
import { didYouMean } from './nearest.ts';
import type { Place, Reporter } from './reporter.ts';
import { compileExpression, type CompiledExpression } from './rules.ts';
import type { DirectiveDocument } from './options/rules.ts';
import type { SettingsDocument } from './options/section.ts';
import { onlyShapes, type SectionTargets } from './section-targets.ts';
import { compileShape } from './options/shape.ts';
import type { Reach } from './targets.ts';
import type { CompiledRule, PolicySection, Provider } from './types.ts';

export interface RuleContext {
  readonly providers: ReadonlyMap<string, Provider>;
  /** Lower case. */
  readonly ruleHeaders: ReadonlySet<string>;
  readonly onRuleError: (rule: string, error: unknown) => void;
}

/** In an expression that says which traffic it is for. */
const namesTraffic = /\bprovider\b|\brequest\s*\.\s*(?:model|api)\b/;

/** Compiles the overrides and rules of sections. */
export class RuleCompiler {
  readonly #context: RuleContext;
  readonly #targets: SectionTargets;
  readonly #reporter: Reporter;
  readonly #expressions = new Map<string, CompiledExpression>();

  constructor(context: RuleContext, targets: SectionTargets, reporter: Reporter) {
    this.#context = context;
    this.#targets = targets;
    this.#reporter = reporter;
  }

  /** A directive to a tier uses that tier's candidates or a higher one's; if there are none, it does nothing. */
  checkTiers(
    listed: readonly { readonly name: string; readonly then: DirectiveDocument }[],
    candidates: PolicySection['candidates'],
    place: Place,
  ): void {
    for (const [at, { name, then }] of listed.entries()) {
      const wanted = then.best === true ? tiers.at(-1) : then.tier;
      if (wanted === undefined || tiers.slice(tiers.indexOf(wanted)).some((tier) => candidates[tier].length > 0)) continue;
      this.#reporter.say(
        'error',
        'no-candidates',
        place,
        [at, 'then'],
        `${name} asks for tier ${wanted}, which has no candidate`,
        `List models under candidates.${wanted}.`,
      );
    }
  }

  overrides(settings: SettingsDocument, place: Place, reach: Reach): CompiledRule[] {
    const listed = settings.overrides ?? [];
    return listed.flatMap((document, at) => {
      const earlier = listed.slice(0, at).find((other) => !onlyShapes(other.then) && covers(other.when, document.when));
      if (earlier !== undefined)
        this.#unreachable(
          place,
          [at],
          `${document.name} is never reached: ${earlier.name} before it matches whenever it does`,
          'Put the narrower one first, or remove one.',
        );
      checkName(this.#reporter, listed, document.name, place, at);
      for (const [index, model] of (document.when.model ?? []).entries())
        this.#targets.checkNamed(model, place, [at, 'when', 'model', index]);
      const { time } = document.when;
      if (time !== undefined && time.from === time.to)
        this.#unreachable(
          place,
          [at, 'when', 'time'],
          `from and to are both ${time.from}, so this is never true`,
          'For the whole day leave time out or give days with from 00:00 to 23:59.',
        );
      let matches: CompiledRule['matches'];
      try {
        matches = compileConditions(document.when, document.then.block !== undefined);
      } catch {
        const zones = Intl.supportedValuesOf('timeZone');
        this.#reporter.say(
          'error',
          'time-zone',
          place,
          [at, 'when', 'time', 'zone'],
          `there is no time zone ${time?.zone ?? ''}`,
          didYouMean(time?.zone ?? '', zones, 'Use an IANA name such as Europe/Berlin.'),
        );
        return [];
      }
      const then = this.#targets.directive(document.then, place, [at, 'then'], { ...reach, asked: document.when.model });
      // Conditions on what a prompt carries or asks for apply only to prompts.
      if ((document.when.modality ?? document.when.task) !== undefined && then?.kind === 'model') {
        this.#targets.all.checkCandidate(then.target, place, [at, 'then', 'model']);
        this.#targets.all.checkModality(document.when.modality ?? [], then.target, place, [at, 'then', 'model']);
      }
      const hinted = document.when.quality !== undefined || document.when.task !== undefined;
      return then === null
        ? []
        : [
            {
              name: document.name,
              kind: 'override',
              source: JSON.stringify(document.when),
              hinted,
              readsTask: document.when.task !== undefined,
              matches,
              then,
              shape: compileShape(document.then.shape),
            },
          ];
    });
  }

  rules(settings: SettingsDocument, place: Place, reach: Reach): CompiledRule[] {
    const seen = new Map<string, string>();
    // `sure`: the expression has no variable; otherwise its parts leave no request out.
    let always: { readonly name: string; readonly sure: boolean } | null = null;
    return (settings.rules ?? []).flatMap((document, at) => {
      if (always !== null)
        this.#reporter.say(
          always.sure ? 'error' : 'warning',
          'unreachable',
          place,
          [at],
          `rule ${document.name} is never reached: rule ${always.name} before it is always true`,
          `Move it before ${always.name}, or remove it.`,
        );
      checkName(this.#reporter, settings.rules ?? [], document.name, place, at);
      if (!onlyShapes(document.then)) this.#checkRepeated(seen, document.when.replace(/\s+/g, ' ').trim(), document.name, place, at);
      const expression = this.#expression(document.name, document.when);
      if (!expression.ok) {
        this.#reporter.sayInside(
          'error',
          'cel',
          place,
          [at, 'when'],
          expression.offset,
          `${expression.message} (at character ${expression.offset + 1})`,
          expression.fix ?? celAdvice(document.when, expression.message, expression.offset),
        );
        return [];
      }
      this.#checkCondition(document, expression, place, at);
      if ((expression.constant === true || expression.always) && !onlyShapes(document.then))
        always ??= { name: document.name, sure: expression.constant === true };
      const then = this.#targets.directive(
        document.then,
        place,
        [at, 'then'],
        namesTraffic.test(document.when) ? { ...reach, idle: false } : reach,
      );
      return then === null
        ? []
        : [
            {
              name: document.name,
              kind: 'rule',
              source: document.when,
              hinted: expression.hinted,
              readsTask: expression.readsTask,
              matches: expression.matches,
              then,
              shape: compileShape(document.then.shape),
            },
          ];
    });
  }

  /** A condition that is never or nearly always true is probably wrong. */
  #checkCondition(
    { name, when }: { readonly name: string; readonly when: string },
    expression: CompiledExpression & { readonly ok: true },
    place: Place,
    at: number,
  ): void {
    if (expression.constant === false) this.#unreachable(place, [at, 'when'], `rule ${name} is never true`, 'Remove it.');
    else if (expression.never !== null)
      this.#reporter.say(
        'warning',
        'unreachable',
        place,
        [at, 'when'],
        `rule ${name} is never true: ${expression.never}`,
        'Correct the condition, or remove the rule.',
      );
    const every = broadMatch(when);
    if (every !== null)
      this.#reporter.sayInside(
        'warning',
        'matches-everything',
        place,
        [at, 'when'],
        every.offset,
        `${every.breadth === 'usual' ? 'nearly every' : 'every'} text matches ${every.pattern}`,
        'Correct the pattern, or leave it out.',
      );
  }

  /** What can never apply is an error: whoever wrote it relies on it. */
  #unreachable(place: Place, at: readonly (string | number)[], message: string, fix: string): void {
    this.#reporter.say('error', 'unreachable', place, at, message, fix);
  }

  #checkRepeated(seen: Map<string, string>, condition: string, name: string, place: Place, at: number): void {
    const earlier = seen.get(condition);
    if (earlier !== undefined)
      this.#unreachable(place, [at], `${name} is never reached: ${earlier} before it has the same condition`, 'Remove one of them.');
    seen.set(condition, earlier ?? name);
  }

  /** Compiled once, not once per provider: type checks are most of the compile time. */
  #expression(name: string, source: string): CompiledExpression {
    const key = `${name}\n${source}`;
    let expression = this.#expressions.get(key);
    if (expression === undefined)
      this.#expressions.set(
        key,
        (expression = compileExpression(source, this.#context.ruleHeaders, (error) => this.#context.onRuleError(name, error), [
          ...this.#context.providers.keys(),
        ])),
      );
    return expression;
  }
}

/** The record names the deciding rule; two rules with one name would be indistinguishable. */
export function checkName(reporter: Reporter, listed: readonly { readonly name: string }[], name: string, place: Place, at: number): void {
  if (listed.findIndex((other) => other.name === name) < at)
    reporter.say('error', 'twice', place, [at, 'name'], `there is another one called ${name}`, 'Give each its own name.');
}
