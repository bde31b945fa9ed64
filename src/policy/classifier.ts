import { Examples } from '../classify/text/examples.ts';
import { textModel } from '../classify/text/file.ts';
import { defaultThresholds, type TierThresholds } from '../classify/types.ts';
import type { SettingsDocument } from './schema.ts';
import type { SectionClassifier } from './types.ts';

/** Compiles a section's decision table, with defaults, and its examples. */
export function compileClassifier({ thresholds, classifier }: Pick<SettingsDocument, 'thresholds' | 'classifier'>): SectionClassifier {
  return {
    thresholds: thresholds === undefined ? defaultThresholds : tableOf(thresholds),
    examples: classifier?.examples === undefined ? null : examplesOf(classifier.examples),
  };
}

type ExampleDocuments = NonNullable<NonNullable<SettingsDocument['classifier']>['examples']>;

/** A list is used for the sections of every provider, but compiled once. */
const compiled = new WeakMap<ExampleDocuments, Examples>();

function examplesOf(documents: ExampleDocuments): Examples {
  let examples = compiled.get(documents);
  if (examples === undefined)
    compiled.set(
      documents,
      (examples = new Examples(
        textModel(),
        documents.map((document, at) => ({ ...document, name: document.name ?? String(at + 1) })),
      )),
    );
  return examples;
}

/** Reports examples that do nothing or contradict another one. */
export function checkExamples(
  documents: ExampleDocuments,
  say: (path: readonly PropertyKey[], message: string, fix: string) => void,
): void {
  const prompts = new Map<string, number>();
  const names = new Set<string>();
  for (const [at, { name, prompt }] of documents.entries()) {
    const text = prompt.trim().toLowerCase();
    const earlier = prompts.get(text);
    if (earlier !== undefined) say([at, 'prompt'], `example ${earlier + 1} has the same prompt`, 'Keep one of them, with all its labels.');
    else prompts.set(text, at);
    const shown = name ?? String(at + 1);
    if (names.has(shown))
      say(name === undefined ? [at] : [at, 'name'], `there is another example called ${shown}`, 'Give each its own name.');
    names.add(shown);
  }
}

function tableOf({ simple, standard, margin = 0 }: NonNullable<SettingsDocument['thresholds']>): TierThresholds {
  const limit = ({
    score,
    tokens = Infinity,
  }: {
    readonly score: number;
    readonly tokens?: number | undefined;
  }): TierThresholds['simple'] => ({ score, tokens });
  return { simple: limit(simple), standard: limit(standard), margin };
}
