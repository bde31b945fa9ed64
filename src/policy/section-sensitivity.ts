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
    return (settings.sensitivity ?? []).flatMap((document, at): CompiledSensitivity[] => {
      checkName(this.#reporter, settings.sensitivity ?? [], document.name, place, at);
      const fault = this.#patternFault(document.pattern);
      if (fault !== null) {
        this.#reporter.say(
          'error',
          'regex',
          place,
          [at, 'pattern'],
          `not a regular expression in RE2 syntax: ${fault}`,
          'Look-around and back-references do not exist there; write it without.',
        );
        return [];
      }
      const breadth = this.#breadth(document.pattern);
      if (breadth !== null && (document.then.mask !== true || breadth !== 'empty'))
        this.#reporter.say(
          'warning',
          'matches-everything',
          place,
          [at, 'pattern'],
          `${breadth === 'usual' ? 'nearly every' : 'every'} prompt matches ${document.name}`,
          breadth === 'empty' ? 'Correct the pattern: a part that may be empty is found everywhere.' : 'Write a narrower pattern.',
        );
      const doubled = doubledBackslash(document.pattern);
      if (doubled !== null)
        this.#reporter.say(
          'warning',
          'regex',
          place,
          [at, 'pattern'],
          `${document.name} looks for a backslash and a letter: ${doubled} is not ${doubled.slice(1)}`,
          'In YAML, a backslash is doubled only within double quotes.',
        );
      const pattern: SensitivePattern = {
        source: document.pattern,
        ignoreCase: document.ignoreCase ?? false,
        fold: document.fold ?? true,
        base64: document.base64 ?? false,
      };
      if (document.then.mask === true) {
        this.#checkMask(pattern, document.name, place, [at, 'pattern']);
        const message = document.then.block ?? `This request holds ${document.name} where it cannot be masked.`;
        return [
          {
            rule: { name: document.name, pattern, then: { kind: 'mask', message } },
            mask: { label: labelOf(document.name), restore: document.then.restore === true },
          },
        ];
      }
      if (document.then.block !== undefined)
        return [{ rule: { name: document.name, pattern, then: { kind: 'block', message: document.then.block } }, mask: null }];
      const target = this.#targets.all.resolve(document.then.model ?? '', place, [at, 'then', 'model'], reach);
      if ((settings.mode ?? 'enabled') !== 'off')
        this.#secure.note(place, [at, 'then', 'model'], {
          rule: document.name,
          model: document.then.model ?? '',
          provider: reach.provider.name,
          reached: target !== null && this.#targets.hasKey(target, reach),
        });
      // If this provider's traffic cannot reach the secure model, the request must not be let through.
      const then: SensitivityRule['then'] =
        target === null
          ? { kind: 'block', message: `This prompt holds ${document.name} and no secure model can take it.` }
          : { kind: 'model', target };
      return [{ rule: { name: document.name, pattern, then }, mask: null }];
    });
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
