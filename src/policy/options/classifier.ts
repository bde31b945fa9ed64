import { z } from 'zod';
import { levels, textFields, textTasks } from '../../classify/text/heads.ts';
import { limits } from '../../lib/limits.ts';
import { name, tier } from './values.ts';

/** What the policy can say of prompts. */
const taughtLabels = {
  task: z.enum(textTasks).optional().describe('Its task'),
  domain: z.enum(textFields).optional().describe('Its domain'),
  tier: tier.optional().describe('Its tier'),
  level: z.number().min(1).max(levels).optional().describe('Its level, 1 (everyday) to 5 (expert)'),
};

function hasLabel({ task, domain, tier: of, level }: { readonly [Name in keyof typeof taughtLabels]?: unknown }): boolean {
  return [task, domain, of, level].some((label) => label !== undefined);
}

const labelless = 'say at least one of task, domain, tier, level';

const examplePrompt = z.string().trim().min(1).max(limits.examplePromptUnits).describe('What the user asks, without the system prompt');

const example = z
  .strictObject({
    name: name.optional().describe('Stands in records as `example NAME`; its place in the list by default'),
    prompt: examplePrompt,
    ...taughtLabels,
  })
  .refine(hasLabel, labelless);

/** Tasks that a request has by its form, not by its text. */
const untaught = ['agent', 'unknown'] as const;

/** A line of a file of examples: what `sluice label` writes fits, and members that are not listed are ignored. */
export const exampleLine = z
  .looseObject({
    name: name.optional(),
    prompt: examplePrompt,
    ...taughtLabels,
    task: z.enum([...textTasks, ...untaught]).optional(),
    expected_tier: tier.optional(),
  })
  .transform(({ name: of, prompt, task, domain, tier: own, expected_tier, level }) => ({
    name: of,
    prompt,
    task: textTasks.find((one) => one === task),
    domain,
    tier: own ?? expected_tier,
    level,
  }))
  .refine(hasLabel, labelless);

const wordList = z
  .strictObject({
    name: name.describe('Stands in records as `words NAME`'),
    words: z
      .array(z.string().trim().min(1).max(limits.taughtWordUnits))
      .min(1)
      .max(limits.taughtWords)
      .describe('Words and phrases, upper or lower case; a trailing * is any ending'),
    ...taughtLabels,
  })
  .refine(hasLabel, labelless);

const taughtTemplate = z
  .strictObject({
    name: name.describe('Stands in records as `template NAME`'),
    system: z
      .string()
      .trim()
      .min(1)
      .max(limits.textUnits)
      .optional()
      .describe('The system prompt of an app; names, numbers and dates in it may differ'),
    template: z
      .string()
      .regex(/^[0-9a-f]{16}$/, 'the 16 hexadecimal digits of a template, as the record has them')
      .optional()
      .describe('Or the id of a template: `template` of a record'),
    ...taughtLabels,
  })
  .refine(({ system, template: id }) => (system === undefined) !== (id === undefined), 'say exactly one of system, template')
  .refine(hasLabel, labelless);

const classifier = z.strictObject({
  examples: z
    .array(example)
    .max(limits.classifierExamples)
    .optional()
    .describe('Labelled prompts: those that are worded like one move towards its labels'),
  file: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]*\.jsonl$/, 'the name of a .jsonl file in the folder of this one')
    .max(253)
    .optional()
    .describe('More of them: a file beside this one, one JSON object a line, as `sluice label` writes it'),
  words: z
    .array(wordList)
    .max(limits.taughtLists)
    .optional()
    .describe('Words of yours: a question that has one gets the labels of its list'),
  templates: z
    .array(taughtTemplate)
    .max(limits.taughtTemplates)
    .optional()
    .describe('Labels of all requests of an app, by its system prompt; they stand above examples and words'),
  embedding: z
    .strictObject({
      waitMs: z
        .int()
        .min(0)
        .max(limits.embeddingWaitMs)
        .default(0)
        .describe('How long a request waits for its vector, in ms; 0: it serves the next requests that ask the same'),
    })
    .optional()
    .describe('Vectors of a sentence model join the text model (`--embedding`)'),
});

export type ClassifierDocument = z.infer<typeof classifier>;
export type ExampleDocument = z.infer<typeof example>;

export const classifierOption = classifier.optional().describe('What the policy teaches the classifier; see docs/classifier.md');
