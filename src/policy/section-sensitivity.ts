import { sensitiveExpression, type SensitivePattern } from '../apis/inspect/patterns.ts';
import { labelOf, Tokens, type MaskRule } from '../apis/mask/tokens.ts';
import { breadthOf, doubledBackslash, type Breadth } from './broad-patterns.ts';
import type { Place, Reporter } from './reporter.ts';
import { patternFault } from './rules.ts';
import type { SettingsDocument } from './options/section.ts';
import { checkName } from './section-rules.ts';
import type { SectionTargets } from './section-targets.ts';
import type { Reach } from './targets.ts';
import type { SensitivityRule } from './types.ts';
import { SecureModels } from './warnings.ts';

type SensitivityDocument = NonNullable<SettingsDocument['sensitivity']>[number];

interface CompiledSensitivity {
  readonly rule: SensitivityRule;
  readonly mask: MaskRule | null;
}

/** Compiles what sections say about sensitive texts. */
export class SensitivityCompiler {
  readonly #targets: SectionTargets;
  readonly #reporter: Reporter;
  readonly #secure = new SecureModels();
  readonly #patterns = new Map<string, string | null>();
  readonly #breadths = new Map<string, Breadth | null>();

  constructor(targets: SectionTargets, reporter: Reporter) {
    this.#targets = targets;
    this.#reporter = reporter;
  }

  compile(settings: SettingsDocument, place: Place, reach: Reach): CompiledSensitivity[] {
    const all = settings.sensitivity ?? [];
    return all.flatMap((document, at): CompiledSensitivity[] => {
      checkName(this.#reporter, all, document.name, place, at);
      if (!this.#checkPattern(document, place, at)) return [];
      const { name, then } = document;
      const pattern: SensitivePattern = {
        source: document.pattern,
        ignoreCase: document.ignoreCase ?? false,
        fold: document.fold ?? true,
        base64: document.base64 ?? false,
      };
      if (then.mask === true) {
        this.#checkMask(pattern, name, place, [at, 'pattern']);
        const message = then.block ?? `This request holds ${name} where it cannot be masked.`;
        return [
          { rule: { name, pattern, then: { kind: 'mask', message } }, mask: { label: labelOf(name), restore: then.restore === true } },
        ];
      }
      if (then.block !== undefined) return [{ rule: { name, pattern, then: { kind: 'block', message: then.block } }, mask: null }];
      const active = (settings.mode ?? 'enabled') !== 'off';
      return [{ rule: { name, pattern, then: this.#secureModel(document, active, place, at, reach) }, mask: null }];
    });
  }

  /** Whether the pattern is one; reports also those that match too much or not what they seem to. */
  #checkPattern({ name, pattern, then }: SensitivityDocument, place: Place, at: number): boolean {
    const path = [at, 'pattern'];
    const fault = this.#patternFault(pattern);
    if (fault !== null) {
      const message = `not a regular expression in RE2 syntax: ${fault}`;
      this.#reporter.say('error', 'regex', place, path, message, 'Look-around and back-references do not exist there; write it without.');
      return false;
    }
    const breadth = this.#breadth(pattern);
    if (breadth !== null && (then.mask !== true || breadth !== 'empty')) {
      const message = `${breadth === 'usual' ? 'nearly every' : 'every'} prompt matches ${name}`;
      const fix = breadth === 'empty' ? 'Correct the pattern: a part that may be empty is found everywhere.' : 'Write a narrower pattern.';
      this.#reporter.say('warning', 'matches-everything', place, path, message, fix);
    }
    const doubled = doubledBackslash(pattern);
    if (doubled !== null) {
      const message = `${name} looks for a backslash and a letter: ${doubled} is not ${doubled.slice(1)}`;
      this.#reporter.say('warning', 'regex', place, path, message, 'In YAML, a backslash is doubled only within double quotes.');
    }
    return true;
  }

  #secureModel({ name, then }: SensitivityDocument, active: boolean, place: Place, at: number, reach: Reach): SensitivityRule['then'] {
    const model = then.model ?? '';
    const path = [at, 'then', 'model'];
    const target = this.#targets.all.resolve(model, place, path, reach);
    if (active) {
      const reached = target !== null && this.#targets.hasKey(target, reach);
      this.#secure.note(place, path, { rule: name, model, provider: reach.provider.name, reached });
    }
    // If this provider's traffic cannot reach the secure model, the request must not be let through.
    return target === null
      ? { kind: 'block', message: `This prompt holds ${name} and no secure model can take it.` }
      : { kind: 'model', target };
  }

  #breadth(source: string): Breadth | null {
    let breadth = this.#breadths.get(source);
    if (breadth === undefined) this.#breadths.set(source, (breadth = breadthOf(source)));
    return breadth;
  }

  #patternFault(source: string): string | null {
    let fault = this.#patterns.get(source);
    if (fault === undefined) this.#patterns.set(source, (fault = patternFault(source)));
    return fault;
  }

  /** A pattern that matches the empty string, or the tokens themselves, would mask endlessly. */
  #checkMask(pattern: SensitivePattern, name: string, place: Place, path: readonly PropertyKey[]): void {
    const expression = sensitiveExpression(pattern);
    if (expression.test('')) {
      this.#reporter.say(
        'error',
        'mask',
        place,
        path,
        `${name} matches an empty text, which cannot be masked`,
        'Write a pattern that needs at least one character.',
      );
      return;
    }
    const token = new Tokens('').of({ label: labelOf(name), restore: false }, name);
    if (expression.test(token))
      this.#reporter.say(
        'warning',
        'mask',
        place,
        path,
        `${name} also matches its own tokens, such as ${token}`,
        'Make the pattern narrower: a text around a token may be masked once more.',
      );
  }

  /** Call once after all sections. */
  finish(): void {
    this.#secure.finish(this.#reporter);
  }
}
