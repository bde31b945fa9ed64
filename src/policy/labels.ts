/** Other classifiers' names for the labels of this one. */
const synonyms: Readonly<Record<string, string>> = {
  coding: 'code',
  programming: 'code',
  math: 'maths',
  mathematics: 'maths',
  summarization: 'summary',
  summarisation: 'summary',
  creative: 'writing',
  'open-ended': 'writing',
  easy: 'simple',
  medium: 'standard',
  hard: 'complex',
  reasoning: 'complex',
  health: 'medical',
  law: 'legal',
  financial: 'finance',
  rewriting: 'rewrite',
  general_knowledge: 'general',
};

/** The label of a closed list that another name means; null if unknown. */
export function meantLabel(word: string, known: readonly string[]): string | null {
  const lower = word.toLowerCase();
  const meant = Object.hasOwn(synonyms, lower) ? synonyms[lower] : undefined;
  return meant !== undefined && known.includes(meant) ? meant : null;
}
