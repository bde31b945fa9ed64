/** Tasks that the text model distinguishes, in the order of its outputs. */
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
 * Start index of each head's outputs. The level is one number, its distance from the mean; the tier is one of simple, standard, complex;
 * `house` tells whether a prompt is worded like those of the public set of tiers, which has its own notion of a tier.
 */
export const head = { task: 0, field: textTasks.length, level: firstOfLevel, tier: firstOfLevel + 1, house: firstOfLevel + 4 } as const;
export const outputs = head.house + 1;
