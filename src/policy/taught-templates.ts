import type { PromptGrams } from '../classify/text/grams.ts';
import type { LabelName, Lesson, Lessons, TaughtRequest } from '../classify/text/teaching.ts';
import { templateOf } from '../router/online/template.ts';
import type { ClassifierDocument } from './options/classifier.ts';

type TemplateDocument = NonNullable<ClassifierDocument['templates']>[number];

/** The id under which a template of the policy is found. Those given as text match whatever tools a request has. */
export function taughtTemplateId({ system, template }: TemplateDocument): string {
  return template ?? systemId(system!);
}

function systemId(system: string): string {
  return templateOf({ system: system.trim(), toolNames: [], tools: 0 }, '');
}

/** Labels of all requests of an app, found by the template of its system prompt. */
export class TaughtTemplates implements Lessons {
  readonly #lessons: ReadonlyMap<string, Lesson>;
  #found: Lesson | null = null;

  constructor(documents: readonly TemplateDocument[]) {
    this.#lessons = new Map(
      documents.map((document) => [
        taughtTemplateId(document),
        { signal: `template ${document.name}`, value: true, strength: 1, labels: document },
      ]),
    );
  }

  compare(_grams: PromptGrams, request: TaughtRequest): boolean {
    if (request.system === '' && request.tools === 0) this.#found = null;
    else
      this.#found =
        this.#lessons.get(systemId(request.system)) ?? (request.tools === 0 ? null : (this.#lessons.get(templateOf(request, '')) ?? null));
    return this.#found !== null;
  }

  lessonFor(label: LabelName): Lesson | null {
    return this.#found?.labels[label] === undefined ? null : this.#found;
  }
}
