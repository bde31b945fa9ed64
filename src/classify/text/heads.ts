/** Tasks that the text model tells apart, in the order of its outputs. */
export const textTasks = [
  'classification',
  'extraction',
  'translation',
  'summary',
  'rewrite',
  'code',
  'maths',
  'question',
  'writing',
  'planning',
  'brainstorming',
  'chitchat',
] as const;
export type TextTask = (typeof textTasks)[number];

/** Fields of knowledge, in the order of its outputs. A prompt may belong to several. */
export const textFields = [
  'medical',
  'legal',
  'finance',
  'code',
  'maths',
  'science',
  'humanities',
  'culture',
  'technology',
  'general',
] as const;
export type TextField = (typeof textFields)[number];

/** Levels of knowledge and reasoning that a good answer needs, 1 (everyday) to 5 (expert). */
export const levels = 5;

const firstOfLevel = textTasks.length + textFields.length;

/**
 * Where each head's outputs begin. The level is one number, its distance from the mean; the tier is one of simple, standard, complex; `house` says whether a
 * prompt is worded as those of the public set of tiers, whose opinion of a tier is its own.
 */
export const head = { task: 0, field: textTasks.length, level: firstOfLevel, tier: firstOfLevel + 1, house: firstOfLevel + 4 } as const;
export const outputs = head.house + 1;
