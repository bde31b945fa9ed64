import { z } from 'zod';
import { cacheOption } from './cache.ts';
import { classifierOption } from './classifier.ts';
import { fallbackOption } from './fallback.ts';
import { gradingOption, verifyOption } from './grading.ts';
import { learnedOption, modelsOption } from './learned.ts';
import { learningOption } from './learning.ts';
import { routing } from './routing.ts';
import { overridesOption, rulesOption } from './rules.ts';
import { sensitivityOption } from './sensitivity.ts';
import { sessionsOption } from './sessions.ts';
import { shapeOption } from './shape.ts';
import { traffic } from './traffic.ts';
import { name, names } from './values.ts';

/** All options of a section, in the order of the reference. */
export const settings = {
  mode: routing.mode,
  failClosed: routing.failClosed,
  tiers: routing.tiers,
  thresholds: routing.thresholds,
  classifier: classifierOption,
  candidates: routing.candidates,
  shape: shapeOption,
  overrides: overridesOption,
  rules: rulesOption,
  learned: learnedOption,
  models: modelsOption,
  learning: learningOption,
  verify: verifyOption,
  sensitivity: sensitivityOption,
  pinned: routing.pinned,
  allowProviders: routing.allowProviders,
  otherApis: routing.otherApis,
  upgrades: routing.upgrades,
  unknownModel: routing.unknownModel,
  baseline: routing.baseline,
  default: routing.default,
  fallback: fallbackOption,
  streamUsage: traffic.streamUsage,
  inAnswer: traffic.inAnswer,
  credentials: traffic.credentials,
  keys: traffic.keys,
  websockets: traffic.websockets,
  cache: cacheOption,
  sessions: sessionsOption,
  grading: gradingOption,
  prompts: traffic.prompts,
};

export const match = z.strictObject({
  workspace: names.optional().describe('Names, or prefixes that end in *'),
  provider: names.optional().describe('Providers by name'),
});

export const defaults = z.strictObject(settings).optional().describe('Settings that every section inherits');

const section = z.strictObject({ name, match: match.optional().describe('Absent parts match all'), ...settings });

export const sections = z.array(section).optional().describe('Settings by workspace and provider; the most specific wins');

export type SettingsDocument = NonNullable<z.infer<typeof defaults>>;
export type SectionDocument = z.infer<typeof section>;
