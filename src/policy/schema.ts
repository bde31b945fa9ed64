import { z } from 'zod';
import { dialectNames } from '../apis/names.ts';
import { periodKinds } from './period.ts';
import { budgetKeys } from './budget-types.ts';
import { catalogOverridesSchema } from '../catalog/index.ts';
import { shapeEfforts } from '../apis/shape/types.ts';
import { levels, textFields, textTasks } from '../classify/text/heads.ts';
import { limits } from '../lib/limits.ts';
import { fallbackTriggers, poolPicks } from './types.ts';

const tier = z.enum(['simple', 'standard', 'complex']);
const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/, 'lower-case letters, digits, dots, dashes')
  .max(63)
  .describe('Its name in records and problems');
const model = z.string().min(1).max(256).describe('A model of the section’s provider, or provider/model');
const names = z.array(z.string().min(1).max(128)).min(1);

const shape = z
  .strictObject({
    maxOutputTokens: z.int().min(16).max(limits.outputTokens).optional().describe('Most output tokens'),
    reasoning: z
      .enum(shapeEfforts)
      .optional()
      .describe('Most reasoning effort; where an API counts tokens instead, as many as translations take for it'),
    thinkingTokens: z
      .int()
      .min(1)
      .max(limits.outputTokens)
      .optional()
      .describe('Most tokens to think with, where the API takes such a number (Anthropic, Gemini)'),
    serviceTier: z.enum(['flex']).optional().describe('flex: the cheaper, slower tier, where the model has one'),
  })
  .refine(
    (value) => Object.values(value).some((part) => part !== undefined),
    'say at least one of maxOutputTokens, reasoning, thinkingTokens, serviceTier',
  );

/** How many ways of choosing a target a directive contains. */
function targetsIn({
  tier: one,
  model: two,
  best,
  keep,
  block,
}: { readonly [K in 'tier' | 'model' | 'best' | 'keep' | 'block']?: unknown }): number {
  return [one, two, best, keep, block].filter((part) => part !== undefined).length;
}

const directive = z
  .strictObject({
    tier: tier.optional().describe('Take this tier’s candidates'),
    model: model.optional().describe('Take this model if it can do the job'),
    best: z.literal(true).optional().describe('Take the first candidate of the highest tier that can do the job'),
    keep: z.literal(true).optional().describe('Leave the app’s own model'),
    block: z.string().min(1).max(500).optional().describe('Refuse with this message, in the dialect of the API that was called'),
    fallback: z.array(model).min(1).optional().describe('Targets that answer when the one above fails; with tier, model or best'),
    shape: shape
      .optional()
      .describe('Caps what the request asks for; alone, it leaves the target to what comes after. See docs/shaping.md'),
  })
  .refine(
    (value) => targetsIn(value) === 1 || (targetsIn(value) === 0 && value.shape !== undefined && value.fallback === undefined),
    'say exactly one of tier, model, best, keep, block',
  )
  .refine(({ block, shape: shaped }) => block === undefined || shaped === undefined, 'shape does nothing with block')
  .refine(
    (value) => value.fallback === undefined || value.tier !== undefined || value.model !== undefined || value.best !== undefined,
    'fallback goes with tier, model or best',
  )
  .describe('What happens; exactly one of tier, model, best, keep, block, and shape beside it or alone');

const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time as HH:MM');

const override = z.strictObject({
  name,
  when: z
    .strictObject({
      quality: names.optional().describe('Values of the x-sluice-quality header'),
      userTier: names.optional().describe('Values of the x-sluice-user-tier header'),
      model: names.optional().describe('Requested models'),
      task: names.optional().describe('Task types, as classified or as the x-sluice-task header says'),
      modality: z
        .array(z.enum(['vision', 'audio', 'files', 'code', 'tools']))
        .min(1)
        .optional()
        .describe('What the request carries'),
      time: z
        .strictObject({
          zone: z.string().describe('IANA time zone, e.g. Europe/Berlin'),
          from: clock.describe('First minute, in that zone'),
          to: clock.describe('First minute after; before `from` means past midnight'),
          days: z
            .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
            .min(1)
            .optional()
            .describe('Days on which `from` falls'),
        })
        .optional()
        .describe('A time of day, daylight saving included'),
    })
    .refine((value) => Object.values(value).some((part) => part !== undefined), 'say at least one condition')
    .describe('All conditions must hold'),
  then: directive,
});

const rule = z.strictObject({
  name,
  when: z.string().min(1).max(2000).describe('A CEL expression over request, verdict, caller and provider that gives a bool'),
  then: directive,
});

const sensitivity = z.strictObject({
  name,
  pattern: z.string().min(1).max(2000).describe('A regular expression in RE2 syntax, matched in linear time'),
  ignoreCase: z.boolean().optional().describe('Whether A and a are the same'),
  fold: z
    .boolean()
    .optional()
    .describe(
      'Also look in the text with full-width and other compatibility forms (NFKC) folded and invisible characters left out; true by default',
    ),
  base64: z.boolean().optional().describe('Also search decoded base64 inside the text; false by default'),
  then: z
    .strictObject({
      model: model.optional().describe('Only this model may take it; when it cannot, the request is refused'),
      block: z.string().min(1).max(500).optional().describe('Refuse with this message; with mask: where it cannot be masked'),
      mask: z
        .literal(true)
        .optional()
        .describe('Replace what is found by a token before the request leaves; where that cannot be done, the request is refused'),
      restore: z.boolean().optional().describe('With mask: put the originals back into the answer; false by default'),
    })
    .refine((value) => value.restore === undefined || value.mask === true, 'restore goes with mask')
    .refine(
      (value) => [value.model, value.mask ?? value.block].filter((part) => part !== undefined).length === 1,
      'say exactly one of model, mask, block',
    )
    .describe('What happens; exactly one of model, mask, block'),
});

const threshold = z.strictObject({
  score: z.number().min(0).max(1).describe('Scores below this'),
  tokens: z.int().positive().optional().describe('Estimated prompt tokens below this; absent: size does not decide'),
});

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
    .regex(/^[A-Za-z0-9][\w.-]*\.jsonl$/, 'the name of a .jsonl file that lies beside this one')
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
});

const seconds = z
  .int()
  .min(0)
  .max(30 * 24 * 3_600);

const cache = z.strictObject({
  mode: z.enum(['on', 'off']).optional().describe('off by default'),
  ttl: seconds.optional().describe('Seconds for which an answer is fresh'),
  ttlByTier: z
    .strictObject({
      simple: seconds.optional().describe('Of simple prompts'),
      standard: seconds.optional().describe('Of standard prompts'),
      complex: seconds.optional().describe('Of complex prompts'),
    })
    .optional()
    .describe('The same by tier; 0: not kept'),
  ttlByRule: z.record(name, seconds).optional().describe('The same by the override or rule that decided; takes precedence over the tier'),
  share: z
    .enum(['credential', 'workspace'])
    .optional()
    .describe('Who shares answers: callers of a workspace with the same key, or all of a workspace'),
  partitionHeaders: names.optional().describe('More request headers whose values must agree for an answer to be shared'),
  maxTemperature: z.number().min(0).max(2).optional().describe('Requests with a higher temperature are not cached; those without one are'),
  maxN: z.int().min(1).max(16).optional().describe('Requests for more answers at once are not cached'),
  external: z
    .enum(['bypass', 'cache'])
    .optional()
    .describe(
      'Requests whose answer depends on other services, or that act there: web search, file search, remote MCP, code interpreters, kept conversations, stored prompts. bypass: they are not cached',
    ),
  maxAnswerBytes: z.int().min(1).max(limits.answerBytes).optional().describe('Larger answers are not kept'),
  finish: z
    .array(z.enum(['stop', 'tools', 'length']))
    .min(1)
    .optional()
    .describe('How an answer must have ended to be kept'),
  staleWhileRevalidate: seconds
    .optional()
    .describe('Seconds after it expires in which an answer is used while another request fetches a new one'),
  staleIfError: seconds.optional().describe('Seconds after it expires in which an answer is used while its provider fails'),
  usage: z.enum(['original', 'zero']).optional().describe('Token counts in the body of a cached answer: those of the first answer, or 0'),
  semantic: z
    .enum(['off', 'strict', 'wide'])
    .optional()
    .describe('Whether the answer to the same question in other words may be used, and how much may differ; off by default'),
  coalesce: z
    .int()
    .min(0)
    .max(limits.bodyWaitMs / 1_000)
    .optional()
    .describe('Seconds that a request waits for an identical one in flight; 0: none'),
});

const waitSeconds = z.number().positive().max(3600);
const trigger = z.enum(fallbackTriggers);

const pool = z
  .strictObject({
    name,
    targets: z.array(model).min(2).max(16).describe('Targets that are as good as each other'),
    weights: z
      .array(z.number().positive().max(1_000))
      .min(2)
      .optional()
      .describe('How much of the traffic each takes, in the same order; equal by default'),
    pick: z
      .enum(poolPicks)
      .optional()
      .describe(
        'weighted: at random; round-robin: in turn; least-latency: the fastest to begin its answers; sticky: the same one for a session, else a workspace. weighted by default',
      ),
  })
  .refine(({ targets, weights }) => weights === undefined || weights.length === targets.length, 'give every target its weight');

const fallback = z.strictObject({
  escalate: z
    .boolean()
    .optional()
    .describe('After the chosen model: the other candidates of its tier by cost, then those of the higher tiers'),
  tiers: z
    .strictObject({
      simple: z.array(model).optional().describe('After a model that the simple tier chose'),
      standard: z.array(model).optional().describe('After one of the standard tier'),
      complex: z.array(model).optional().describe('After one of the complex tier'),
    })
    .optional()
    .describe('Targets after the chosen one, by tier; before the escalation'),
  models: z
    .record(z.string().min(1).max(256), z.array(model).min(1))
    .optional()
    .describe('Targets after the chosen one, by requested model; in place of all else'),
  pools: z.array(pool).optional().describe('Equal targets: where one of them is chosen, the pool picks one, and the others come next'),
  on: z.array(trigger).min(1).optional().describe('Failures that try the next target'),
  attempts: z.int().min(1).max(limits.fallbackAttempts).optional().describe('Attempts in all, the first included; 1 switches fallback off'),
  attemptSeconds: waitSeconds.optional().describe('Longest time for one attempt; streams only have to begin in it'),
  firstByteSeconds: waitSeconds.optional().describe('Longest time to the first byte of a stream'),
  totalSeconds: waitSeconds.optional().describe('Longest time for all attempts; streams only have to begin in it'),
  maxUsd: z
    .number()
    .positive()
    .optional()
    .describe('Estimated dollars of all attempts together; targets beyond it, or of unknown price, are left out'),
  drop: z
    .array(z.string().min(1).max(64))
    .optional()
    .describe(
      'Parameters that may be left out where a target’s API has no place for them; `neutral` stands for all that do not change the answer',
    ),
  inspectKiB: z.int().min(1).max(8192).optional().describe('Answers up to this size are looked into; larger ones pass'),
});

const learned = z.strictObject({
  weak: model.describe('The cheaper model, which takes what it is good enough for'),
  strong: names.describe('Requested models that it may stand in for'),
  maxQualityLoss: z
    .union([z.string().regex(/^\d{1,2}(\.\d+)?%$/, 'a share as 2%'), z.number().min(0).max(0.5)])
    .describe(
      'Quality that may be lost against always using the requested model, e.g. 2%; kept with 95% confidence on the calibration rows',
    ),
  pair: z
    .strictObject({
      weak: z.string().min(1).max(256).describe('Its weak model'),
      strong: z.string().min(1).max(256).describe('Its strong model'),
    })
    .optional()
    .describe('The pair in the model file whose calibration counts; by default the weak and the requested model by their own names'),
  uncalibrated: z
    .enum(['shadow', 'strictest'])
    .optional()
    .describe('Without a calibration of the pair: shadow only records; strictest takes the lowest threshold of all pairs'),
});

const models = z
  .strictObject({
    list: z.array(model).min(1).max(32).optional().describe('What is compared; the candidates of the request’s tier by default'),
    for: names.describe('Requested models that these may stand in for'),
    maxQualityLoss: z
      .union([z.string().regex(/^\d{1,2}(\.\d+)?%$/, 'a share as 2%'), z.number().min(0).max(0.5)])
      .optional()
      .describe('The cheapest, within this expected loss of quality against always using the requested model, e.g. 2%'),
    maxCost: z
      .union([z.string().regex(/^\d{1,2}(\.\d+)?%$/, 'a share as 40%'), z.number().min(0.01).max(1)])
      .optional()
      .describe('The best, within this share of what always using the requested model would cost, e.g. 40%'),
    usdPerPoint: z
      .number()
      .positive()
      .max(1_000)
      .optional()
      .describe('US dollars that a point of quality (a hundredth of a whole good answer) of one request is worth'),
  })
  .refine(
    (value) => [value.maxQualityLoss, value.maxCost, value.usdPerPoint].filter((part) => part !== undefined).length === 1,
    'say exactly one of maxQualityLoss, maxCost, usdPerPoint',
  );

const share = z
  .union([z.string().regex(/^(100|\d{1,2}(\.\d+)?)%$/, 'a share such as 5%'), z.number().min(0).max(1)])
  .describe('A share: 5% or 0.05');
const onOff = z.enum(['on', 'off']);

const unit = z.enum(['session', 'workspace', 'request']);

const match = z.strictObject({
  workspace: names.optional().describe('Names, or prefixes that end in *'),
  provider: names.optional().describe('Providers by name'),
});

const grading = z.strictObject({
  checks: onOff
    .optional()
    .describe('Whether answers are looked into: JSON, schema, tool arguments, emptiness; how they ended is graded anyway'),
  regenerate: onOff.optional().describe('Whether asking the same question of the same conversation again counts as a low grade'),
  judge: z
    .strictObject({
      model: z.string().min(3).max(256).describe('provider/model; the provider speaks the OpenAI API and has a credentialFile'),
      share: share.describe('Share of the answers that it gets'),
      maxUsdPerDay: z.number().positive().max(10_000).describe('US dollars a day (UTC) of one replica; beyond it nothing is judged'),
      seconds: z.number().positive().max(600).optional().describe('Longest time for one opinion; 60 by default'),
    })
    .optional()
    .describe('A model that grades some answers, beside the traffic; absent: none'),
});

const verify = z.strictObject({
  share: share.describe('Share of the requests that a cheaper model than the requested one answers'),
  by: z.literal('stronger').optional().describe('Who answers beside it: stronger is the requested model (the default)'),
  maxUsdPerDay: z
    .number()
    .positive()
    .max(10_000)
    .optional()
    .describe('US dollars a day (UTC) of one replica for these answers; beyond it nothing is verified. 5 by default'),
});

const sessions = z.strictObject({
  mode: onOff
    .optional()
    .describe(
      'on (default where this stands): a conversation is not sent to a lower tier than its turns needed, and a switch pays for the prompt cache that it throws away',
    ),
  idleMinutes: z
    .number()
    .positive()
    .max(7 * 24 * 60)
    .optional()
    .describe('After so long without a turn it is forgotten; 60 by default'),
  headers: names.optional().describe('Headers that name the conversation, before those that docs/sessions.md lists'),
});

const learning = z.strictObject({
  probes: share
    .optional()
    .describe('Share of the requests that is drawn by lot, so that grades come of both models; these are judged first. 2% by default'),
  riskShare: share.optional().describe('Share of maxQualityLoss that such requests may cost; 15% by default'),
  upgrade: z
    .strictObject({
      below: z.number().min(0).max(1).optional().describe('A grade below it upgrades; 0.3 by default'),
      hours: z.number().positive().max(8_760).optional().describe('Hours for which it does; 24 by default'),
      scope: z
        .enum(['similar', 'template', 'none'])
        .optional()
        .describe('similar: near-duplicates of the text within its template (the default); template: all of the template'),
    })
    .optional()
    .describe('After a low grade, requests like the one that was graded keep the requested model'),
});

const settings = {
  mode: z.enum(['enabled', 'shadow', 'off']).optional().describe('shadow decides and records without changing traffic; off lets all pass'),
  failClosed: z.boolean().optional().describe('Answer 503 when Sluice cannot decide, instead of letting the request pass'),
  tiers: z.array(tier).optional().describe('Tiers that are routed; requests of other tiers keep their model'),
  thresholds: z
    .strictObject({
      simple: threshold.describe('simple: below both'),
      standard: threshold.describe('standard: below both; anything else is complex'),
      margin: z.number().min(0).max(1).optional().describe('A score that lies this close below a limit takes the tier above; 0 by default'),
    })
    .optional()
    .describe('The decision table'),
  classifier: classifier.optional().describe('What the policy teaches the classifier; see docs/classifier.md'),
  candidates: z
    .strictObject({
      simple: z.array(model).optional().describe('For simple prompts'),
      standard: z.array(model).optional().describe('For standard prompts'),
      complex: z.array(model).optional().describe('For complex prompts; `best` takes the first that can do the job'),
    })
    .optional()
    .describe('Models by tier; the cheapest that can do the job is taken'),
  shape: z
    .strictObject({
      simple: shape.optional().describe('Of requests of the simple tier'),
      standard: shape.optional().describe('Of the standard tier'),
      complex: shape.optional().describe('Of the complex tier'),
    })
    .optional()
    .describe('Caps what requests ask for, by the tier that answers; see docs/shaping.md'),
  overrides: z.array(override).optional().describe('Hard choices, first match wins, before the rules'),
  rules: z.array(rule).optional().describe('CEL rules, first match wins, before the decision table'),
  learned: learned.optional().describe('Routing by predicted gain, before the decision table; see docs/learned-routing.md'),
  models: models
    .optional()
    .describe('Several models compared by expected quality and cost, before the decision table; see docs/candidates.md'),
  learning: learning.optional().describe('Learns from grades, by template; see docs/learning.md'),
  verify: verify
    .optional()
    .describe('Some answers of cheaper models are compared with the requested model’s own, which nobody waits for; see docs/learning.md'),
  sensitivity: z.array(sensitivity).optional().describe('Patterns in the prompt that send it to a secure model or stop it'),
  pinned: names.optional().describe('Requested models that are never changed'),
  allowProviders: names.optional().describe('Other providers that requests may be sent to'),
  otherApis: z
    .enum(['where-needed', 'always'])
    .optional()
    .describe(
      'Candidates that speak another API than the request, which is translated for them: where-needed (the default): in tiers that have none of the request’s own; always: beside those. Their provider must be in allowProviders',
    ),
  upgrades: z.enum(['never', 'allow']).optional().describe('Whether the decision table may choose a costlier model than was asked for'),
  unknownModel: z.enum(['keep', 'route']).optional().describe('What to do with a requested model that the catalog does not know'),
  baseline: model
    .optional()
    .describe('Savings are counted against this model, whatever was requested; by default against the requested one'),
  default: model.optional().describe('Taken when no candidate can do the job; otherwise the requested model'),
  fallback: fallback.optional().describe('What happens when a target fails; absent: the error goes to the app'),
  streamUsage: z
    .enum(['ask', 'enforce', 'leave'])
    .optional()
    .describe(
      'enforce: as ask, and also where the app says that it wants none or switches routing off, so that budgets count all; ask adds stream_options.include_usage to OpenAI streams that do not say, and takes the chunk out again that the app did not ask for',
    ),
  inAnswer: z
    .strictObject({
      decision: z.boolean().optional().describe('The decision’s id: in metadata of a JSON answer, as a comment of a stream'),
      cost: z
        .boolean()
        .optional()
        .describe('The cost in US dollars: in the header x-sluice-cost of a JSON answer, as a comment at the end of a stream'),
    })
    .optional()
    .describe('What answers tell their app, for clients that hide response headers and for apps that show costs'),
  credentials: z
    .enum(['app', 'gateway'])
    .optional()
    .describe('The key of requests to the app’s own provider: gateway replaces whatever the app sends; app by default'),
  keys: z
    .record(name, z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(16)]))
    .optional()
    .describe('Files with the gateway’s keys for this section alone, by provider; in place of the provider’s own'),
  websockets: z
    .enum(['allow', 'refuse'])
    .optional()
    .describe(
      'Whether WebSockets (Realtime, Responses, Gemini Live), which are not read, may pass; refused by default where failClosed or a sensitivity pattern holds',
    ),
  cache: cache.optional().describe('Answers to repeated requests; see docs/cache.md'),
  sessions: sessions.optional().describe('Conversations; see docs/sessions.md'),
  grading: grading.optional().describe('Grades from checks, repeated questions and a judge; see docs/feedback.md'),
  prompts: z
    .strictObject({
      capture: z.enum(['hash', 'truncate', 'none']).describe('A SHA-256, the first characters, or nothing'),
      units: z.int().min(1).max(4096).optional().describe('Characters kept by truncate'),
    })
    .optional()
    .describe('What the record keeps of the prompt'),
};

const experiment = z
  .strictObject({
    name,
    kind: z
      .enum(['ab', 'shadow'])
      .describe(
        'ab: a share is answered otherwise; shadow: a share is sent to another model too, whose answers are graded and thrown away',
      ),
    enabled: onOff.optional().describe('off: nobody takes part'),
    match: match.optional().describe('Whose requests take part; absent: all'),
    share: share.describe('Share of them that gets the treatment'),
    by: unit.optional().describe('ab: who stays in one arm; session by default'),
    model: model.optional().describe('The treatment: this model if it can do the job, or `requested`: the one that the app asked for'),
    settings: z
      .strictObject(settings)
      .optional()
      .describe('The treatment: these settings of a section in place of its own; those of defaults'),
    maxUsdPerDay: z
      .number()
      .positive()
      .max(100_000)
      .optional()
      .describe('shadow: US dollars a day (UTC) of one replica; beyond it nothing is mirrored'),
    stopOnHarm: onOff.optional().describe('ab: on: the treatment ends by itself when tests show that it does harm'),
  })
  .refine((value) => (value.model === undefined) !== (value.settings === undefined), 'say exactly one of model, settings')
  .refine(
    ({ kind, model: wanted, maxUsdPerDay, by, stopOnHarm }) =>
      kind === 'shadow'
        ? wanted !== undefined && wanted !== 'requested' && maxUsdPerDay !== undefined && by === undefined && stopOnHarm === undefined
        : maxUsdPerDay === undefined,
    'shadow needs model and maxUsdPerDay, and takes no by, settings or stopOnHarm; ab takes no maxUsdPerDay',
  );

const rollout = z.strictObject({
  stages: z.array(share).min(1).max(20).optional().describe('Shares, ascending; then all. 1%, 10%, 50% by default'),
  by: unit.optional().describe('Who stays with one policy; session by default'),
  requests: z.int().min(1).max(1_000_000).optional().describe('Answers of the new policy that a stage takes at least; 200 by default'),
  minutes: z
    .number()
    .min(0)
    .max(30 * 24 * 60)
    .optional()
    .describe('Time that a stage takes at least; 30 by default'),
  keepForDays: z
    .number()
    .min(0)
    .max(365)
    .optional()
    .describe('Days for which the old policy is kept ready for `sluice rollback`; 14 by default'),
  falseAlarm: share.optional().describe('How often a harmless policy may be taken back; 5% by default'),
  horizon: z.int().min(50).max(1_000_000).optional().describe('Comparisons within which the tests are sharpest; 2000 by default'),
  tolerance: z
    .strictObject({
      quality: z.number().min(0).max(0.5).optional().describe('Drop of the mean grade that is no harm; 0 by default'),
      errors: z.number().min(0).max(0.5).optional().describe('Rise of the share of errors that is no harm; 0 by default'),
      cost: z.number().min(0).max(10).optional().describe('Relative rise of the mean cost that is no harm; 0.1 by default'),
      latency: z.number().min(0).max(10).optional().describe('Relative rise of the mean time that is no harm; 0.25 by default'),
    })
    .optional()
    .describe('What is no harm'),
});

const provider = z.strictObject({
  dialect: z.enum(dialectNames).optional().describe('Its API'),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Its address, e.g. https://api.openai.com'),
  pathPrefix: z
    .string()
    .regex(/^\/[A-Za-z0-9._-]+$/)
    .optional()
    .describe('Path on the gateway that means this provider'),
  hosts: z.array(z.string().min(1)).optional().describe('Host names that mean this provider'),
  catalog: z.string().optional().describe('Its name in the price catalog; its own name by default'),
  deployments: z.record(z.string(), z.string()).optional().describe('Azure: deployment → model'),
  responses: z
    .boolean()
    .optional()
    .describe('It has OpenAI’s Responses API; a fallback that has none gets such requests as chat completions'),
  credentialFile: z.string().optional().describe('File with the gateway’s own key, needed to be reached from another provider’s traffic'),
  credentialFiles: z
    .array(z.string().min(1))
    .min(1)
    .max(16)
    .optional()
    .describe('More keys of the gateway’s own: they share the load, and one that is limited or refused rests'),
  credentialType: z
    .enum(['key', 'bearer'])
    .optional()
    .describe('How that key is sent: key (the default) as the dialect has it, bearer as an OAuth token, such as one of Entra ID for Azure'),
  signing: z
    .strictObject({
      aws: z
        .strictObject({
          service: z
            .string()
            .regex(/^[a-z0-9-]{1,64}$/)
            .describe('The AWS service, e.g. bedrock'),
          region: z
            .string()
            .regex(/^[a-z0-9-]{1,64}$/)
            .describe('e.g. eu-central-1'),
          credentialsFile: z
            .string()
            .optional()
            .describe(
              'AWS credentials file that Envoy reads; absent: Envoy looks where the AWS SDKs do (environment, web identity, container, instance)',
            ),
          profile: z.string().min(1).max(64).optional().describe('Its profile; default by default'),
        })
        .describe('Signature Version 4'),
    })
    .optional()
    .describe('Envoy signs requests to it, in place of any key; see docs/envoy.md'),
});

const percent = z.number().positive().max(100);

const servedMatch = z
  .strictObject({
    workspace: names.optional().describe('Names, or prefixes that end in *'),
    model: names.optional().describe('Models that are served, as model or provider/model'),
    tier: z.array(tier).min(1).optional().describe('Tiers'),
  })
  .optional()
  .describe('Absent parts match all');

const budget = z.strictObject({
  name,
  match: servedMatch,
  per: z
    .array(z.enum(budgetKeys))
    .min(1)
    .optional()
    .describe('The same amount for each workspace, user, model or tier; otherwise one for all that matches'),
  period: z.enum(periodKinds).describe('Its length; weeks begin on Monday'),
  zone: z.string().optional().describe('IANA time zone of the calendar; UTC by default'),
  usd: z.number().positive().max(1_000_000).describe('US dollars'),
  soft: z
    .strictObject({
      at: z
        .array(z.number().positive().max(1_000))
        .min(1)
        .max(16)
        .optional()
        .describe('Percent at which messages are sent, once each per period'),
      notify: z.array(name).min(1).optional().describe('Webhooks by name'),
    })
    .optional()
    .describe('Messages'),
  hard: z
    .strictObject({
      cheaper: tier.optional().describe('Before requests are refused, they go to this tier’s candidates'),
      shape: shape.optional().describe('Before requests are refused, what they ask for is capped; see docs/shaping.md'),
      cheaperAt: percent.optional().describe('Percent from which both happen; 90 by default'),
      message: z.string().min(1).max(500).optional().describe('Message in the refusal'),
    })
    .optional()
    .describe('Requests that do not fit are refused; absent: only messages are sent'),
  unknown: z
    .union([z.literal('refuse'), z.number().positive().max(1_000)])
    .optional()
    .describe('Dollars that a request of unknown price counts with, or refuse; 0.05 by default'),
});

const belief = z.enum(['all', 'trusted', 'gateway', 'nobody']);
const callerValues = z.array(z.string().min(1).max(512)).min(1).max(1_000);
const template = z.string().min(1).max(128);

const callerSigns = {
  header: z
    .record(z.string().min(1).max(128), callerValues)
    .optional()
    .describe('Values of headers that a component before Sluice sets, so that apps cannot'),
  principal: callerValues
    .optional()
    .describe('A URI, DNS name or subject of the client certificate, as x-forwarded-client-cert has it; or a prefix that ends in *'),
  namespace: callerValues.optional().describe('The Kubernetes namespace in its SPIFFE id; or a prefix that ends in *'),
  claims: z
    .record(z.string().min(1).max(256), callerValues)
    .optional()
    .describe('Values in the dynamic metadata of Envoy’s JWT and external authorization filters, by path'),
};

const oneSign = 'say at least one condition';
const anySign = (value: object): boolean => Object.values(value).some((part) => part !== undefined);

const callers = z.strictObject({
  believe: z
    .strictObject({
      route: belief.optional().describe('x-sluice-route: off'),
      quality: belief.optional().describe('x-sluice-quality'),
      task: belief.optional().describe('x-sluice-task'),
      session: belief.optional().describe('x-sluice-session, the other headers that name a conversation, and its name in the body'),
      cache: belief.optional().describe('x-sluice-cache, cache-control'),
      user: belief.optional().describe('The headers of workspaces.userHeaders, and the user in the body'),
      userTier: belief.optional().describe('x-sluice-user-tier'),
      workspace: belief.optional().describe('The headers of workspaces.headers'),
    })
    .optional()
    .describe(
      'Of whom each thing that a caller can say is believed; all by default. trusted: of callers that trust lists; gateway: of all, since something before Sluice sets the header and takes away what apps send; nobody',
    ),
  identify: z
    .array(
      z
        .strictObject({
          name,
          when: z.strictObject(callerSigns).refine(anySign, oneSign).describe('All conditions must hold'),
          workspace: template.optional().describe('Its workspace, whatever the caller claims'),
          user: template.optional().describe('Its user, whatever the caller claims; only a hash is kept'),
          userTier: template.optional().describe('Its user tier, whatever the caller claims'),
        })
        .refine(
          ({ workspace, user, userTier }) => workspace !== undefined || user !== undefined || userTier !== undefined,
          'say at least one of workspace, user, userTier',
        ),
    )
    .max(100)
    .optional()
    .describe(
      'Who callers are, by what Envoy knows of them; the first that holds. {namespace}, {principal} and {claims.PATH} are filled in',
    ),
  trust: z
    .array(
      z.strictObject({
        name,
        when: z
          .strictObject({
            workspace: callerValues
              .optional()
              .describe('Workspaces that identify sets or a gateway vouches for: names, or prefixes that end in *'),
            ...callerSigns,
          })
          .refine(anySign, oneSign)
          .describe('All conditions must hold'),
      }),
    )
    .max(100)
    .optional()
    .describe('Callers whose word counts; one that holds is enough'),
});
const rateMax = z.int().min(1).max(1_000_000_000_000);
const rateWindows = z
  .strictObject({
    minute: rateMax.optional().describe('In a minute'),
    hour: rateMax.optional().describe('In an hour'),
    day: rateMax.optional().describe('In a day of UTC'),
  })
  .refine((value) => Object.values(value).some((part) => part !== undefined), 'say at least one of minute, hour, day');

const rateLimit = z
  .strictObject({
    name,
    match: servedMatch,
    per: z
      .array(z.enum(budgetKeys))
      .min(1)
      .optional()
      .describe('The same limit for each workspace, user, model or tier; otherwise one for all that matches'),
    requests: rateWindows.optional().describe('Requests'),
    tokens: rateWindows.optional().describe('Tokens of prompts and answers together'),
    concurrent: z.int().min(1).max(1_000_000).optional().describe('Requests that are on their way at the same time'),
    unknown: rateMax
      .optional()
      .describe('Tokens counted for a call that is only observed (images, audio, batches, WebSockets …), 1000 by default'),
    mode: z.enum(['hard', 'soft']).optional().describe('soft: requests beyond the limit are counted and go on; hard by default'),
    message: z.string().min(1).max(500).optional().describe('Message in the refusal'),
  })
  .refine(
    ({ requests, tokens, concurrent }) => requests !== undefined || tokens !== undefined || concurrent !== undefined,
    'say at least one of requests, tokens, concurrent',
  );

const webhook = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Where messages are posted'),
    urlFile: z.string().min(1).optional().describe('File that holds the URL, for one that is a secret'),
    format: z.enum(['json', 'slack']).optional().describe('json by default; slack for Slack’s incoming webhooks'),
  })
  .refine((value) => (value.url === undefined) !== (value.urlFile === undefined), 'say exactly one of url, urlFile');

const settingNames = Object.keys(settings) as (keyof typeof settings)[];

const delegation = z.strictObject({
  workspaces: names.describe('Its own workspaces: names, or prefixes that end in *'),
  may: z
    .array(z.enum(settingNames))
    .min(1)
    .optional()
    .describe(
      'Settings that its sections may write, in place of the usual ones, which lift nothing that the defaults forbid and spend no key of the gateway',
    ),
});

/** The policy format. `schema/policy.schema.json` and the reference in docs/policy.md are generated from it. */
export const policySchema = z.strictObject({
  version: z.literal(1).describe('Version of this format'),
  catalog: z.strictObject({ overrides: catalogOverridesSchema.optional() }).optional().describe('Price facts'),
  providers: z.record(name, provider).optional().describe('Providers by name; those of the defaults may be changed or added to'),
  workspaces: z
    .strictObject({
      headers: z.array(z.string().min(1)).optional().describe('Headers with the workspace, first one wins'),
      known: names.optional().describe('Workspaces that metrics may name'),
      userHeaders: z.array(z.string().min(1)).optional().describe('Headers with the user, first one wins; only a hash is kept'),
      ruleHeaders: z.array(z.string().min(1)).optional().describe('Headers that rules may read'),
    })
    .optional()
    .describe('How callers are told apart'),
  callers: callers.optional().describe('Which callers are trusted; see docs/callers.md'),
  delegations: z
    .record(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'a Kubernetes namespace'), delegation)
    .optional()
    .describe('Namespaces whose ConfigMaps may write sections for their own workspaces; see docs/kubernetes.md'),
  budgets: z.array(budget).max(limits.budgets).optional().describe('Spending limits; see docs/budgets.md'),
  limits: z
    .array(rateLimit)
    .max(limits.rateLimits)
    .optional()
    .describe('Rate limits: requests, tokens, requests at once; see docs/rate-limits.md'),
  webhooks: z.record(name, webhook).optional().describe('Where budget messages are sent, by name'),
  experiments: z.array(experiment).max(20).optional().describe('A/B and shadow experiments; see docs/experiments.md'),
  rollout: rollout.optional().describe('How this policy replaces the previous one; absent: at once'),
  defaults: z.strictObject(settings).optional().describe('Settings that every section inherits'),
  sections: z
    .array(z.strictObject({ name, match: match.optional().describe('Absent parts match all'), ...settings }))
    .optional()
    .describe('Settings by workspace and provider; the most specific wins'),
});

export type PolicyDocument = z.infer<typeof policySchema>;
export type SectionDocument = NonNullable<PolicyDocument['sections']>[number];
export type SettingsDocument = NonNullable<PolicyDocument['defaults']>;
export type DirectiveDocument = z.infer<typeof directive>;
export type LearnedDocument = z.infer<typeof learned>;
export type ModelsDocument = z.infer<typeof models>;
export type ExperimentDocument = z.infer<typeof experiment>;
export type RolloutDocument = z.infer<typeof rollout>;
export type SessionsDocument = z.infer<typeof sessions>;
export type LearningDocument = z.infer<typeof learning>;
export type GradingDocument = z.infer<typeof grading>;
export type VerifyDocument = z.infer<typeof verify>;
export type FallbackDocument = z.infer<typeof fallback>;
export type BudgetDocument = z.infer<typeof budget>;
export type DelegationDocument = z.infer<typeof delegation>;
export type CallersDocument = z.infer<typeof callers>;
export type RateLimitDocument = z.infer<typeof rateLimit>;
export type ShapeDocument = z.infer<typeof shape>;
export type ServedMatchDocument = z.infer<typeof servedMatch>;
export type WebhookDocument = z.infer<typeof webhook>;
export type PoolDocument = z.infer<typeof pool>;
export type OverrideDocument = z.infer<typeof override>;
export type ProviderDocument = z.infer<typeof provider>;

export type ClassifierDocument = NonNullable<SettingsDocument['classifier']>;
export type ExampleDocument = NonNullable<ClassifierDocument['examples']>[number];
