import { textModel } from '../classify/text/file.ts';
import { Examples } from '../classify/text/examples.ts';
import { Teaching, type Lessons } from '../classify/text/teaching.ts';
import { WordLists } from '../classify/text/word-lists.ts';
import { defaultThresholds, type TierThresholds } from '../classify/types.ts';
import { readExampleFile } from './example-file.ts';
import type { ClassifierDocument } from './options/classifier.ts';
import type { SettingsDocument } from './options/section.ts';
import { TaughtTemplates } from './taught-templates.ts';
import type { PolicyFile, SectionClassifier } from './types.ts';

/** Compiles a section's decision table, with defaults, and what it teaches. `file`: the file of examples that it names. */
export function compileClassifier(
  { thresholds, classifier }: Pick<SettingsDocument, 'thresholds' | 'classifier'>,
  file: PolicyFile | null,
): SectionClassifier {
  return {
    thresholds: thresholds === undefined ? defaultThresholds : tableOf(thresholds),
    taught: classifier === undefined ? null : teachingOf(classifier, file),
    embeddingWaitMs: classifier?.embedding?.waitMs ?? null,
  };
}

/** A policy's settings are used for the sections of every provider, but compiled once. */
const compiled = new WeakMap<ClassifierDocument, Teaching | { readonly nothing: true }>();

function teachingOf(document: ClassifierDocument, file: PolicyFile | null): Teaching | null {
  let teaching = compiled.get(document);
  if (teaching === undefined) {
    const kinds = lessonsOf(document, file);
    compiled.set(document, (teaching = kinds.length === 0 ? { nothing: true } : new Teaching(textModel(), kinds)));
  }
  return teaching instanceof Teaching ? teaching : null;
}

/** In order of precedence where two are equally strong. */
function lessonsOf({ examples = [], words = [], templates = [] }: ClassifierDocument, file: PolicyFile | null): Lessons[] {
  const filed = file === null ? [] : readExampleFile(file).examples;
  const all = [
    ...examples.map((example, at) => ({ ...example, name: example.name ?? String(at + 1) })),
    ...filed.map(({ line, ...example }) => ({ ...example, name: example.name ?? `line-${line}` })),
  ];
  return [
    ...(templates.length === 0 ? [] : [new TaughtTemplates(templates)]),
    ...(all.length === 0 ? [] : [new Examples(textModel(), all)]),
    ...(words.length === 0 ? [] : [new WordLists(words)]),
  ];
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
