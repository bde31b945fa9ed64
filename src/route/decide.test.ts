import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, generation, input, model, openai, provider, ref, rule, standardModels } from '../../test/support/decision.ts';
import { tiers } from '../classify/types.ts';
import type { ParsedRequest } from '../apis/types.ts';
import type { Directive } from '../policy/types.ts';
import { disqualify, entryOf } from './capabilities.ts';
import { decide } from './decide.ts';
import { expectedAnswerTokens } from './estimate.ts';
import { runs } from '../../test/support/fuzz.ts';

const toModel = (name: string): Directive & { kind: 'model' } => ({ kind: 'model', target: ref(name) });
const brief = (decision: ReturnType<typeof decide>) => [decision.action, decision.served.model, decision.reason, decision.rule];

describe('the decision table', () => {
  it('serves the cheapest candidate of the tier', () => {
    const decision = decide(input({ section: { candidates: { simple: [ref('middle'), ref('small')], standard: [], complex: [] } } }));
    expect(brief(decision)).toEqual(['route', 'small', 'tier', null]);
    expect(decision.chain).toEqual([ref('small')]);
    expect(decision.candidates.map(({ target, chosen }) => [target.model, chosen])).toEqual([
      ['middle', false],
      ['small', true],
    ]);
    // 100 prompt tokens + 300 for a question, 1 dollar a million.
    expect(decision.estimate).toEqual({ known: true, usd: 0.0004 });
    expect(decision.baselineEstimate).toEqual({ known: true, usd: 0.008 });
  });

  it('reckons with the output tokens that each model was seen to take, within the limit of the app', () => {
    const given = input({ section: { candidates: { simple: [ref('small'), ref('middle')], standard: [], complex: [] } } });
    // Thoughts make the model of the lower price the dearer one.
    const learnt = {
      ...given,
      outputTokens: ({ model: name }: { readonly model: string }) =>
        name === 'dear' ? null : { tokens: name === 'small' ? 4_000 : 40.4, spread: 0.3, reasoning: 0, answers: 50 },
    };
    const decision = decide(learnt);
    expect(brief(decision)).toEqual(['route', 'middle', 'tier', null]);
    expect(decision.candidates.map(({ target, outputTokens }) => [target.model, outputTokens])).toEqual([
      ['small', 4_000],
      ['middle', 40],
    ]);
    expect([decision.assumedOutputTokens, decision.baselineOutputTokens]).toEqual([40, 300]);
    // Savings are held against what the baseline's model takes itself, once enough of its answers are known.
    expect(decision.baseline).toBeUndefined();
    const known = { ...learnt, outputTokens: () => ({ tokens: 90, spread: 0.4, reasoning: 0.2, answers: 20 }) };
    expect(decide(known).baseline).toEqual({ target: ref('dear'), typical: { tokens: 90, spread: 0.4, reasoning: 0.2 } });
    expect(decide({ ...known, outputTokens: () => ({ tokens: 90, spread: 0.4, reasoning: 0.2, answers: 19 }) }).baseline).toBeUndefined();
    expect(decide({ ...given, section: { ...given.section, baseline: ref('large') } }).baseline).toEqual({
      target: ref('large'),
      typical: null,
    });
    const limited = decide({ ...learnt, exchange: { ...given.exchange, maxOutputTokens: 30, n: 2 } });
    expect(limited.candidates.map(({ outputTokens }) => outputTokens)).toEqual([undefined, undefined]);
    expect(limited.assumedOutputTokens).toBe(60);
  });

  it('compares a model that has not answered the template yet by the answers of the requested one', () => {
    const given = input({ section: { candidates: { simple: [ref('small')], standard: [], complex: [] } } });
    // By the task's default, 300 tokens, the cheaper model would seem to be the dearer one.
    const outputTokens = ({ model: name }: { readonly model: string }) =>
      name === 'dear' ? { tokens: 3, spread: 0.1, reasoning: 0, answers: 50 } : null;
    const decision = decide({ ...given, outputTokens });
    expect(brief(decision)).toEqual(['route', 'small', 'tier', null]);
    expect(decision.candidates.map((candidate) => candidate.outputTokens)).toEqual([3]);
  });

  it("settles equal prices by the policy's order", () => {
    const models = [...standardModels, model('openai', 'twin', 1)];
    const decision = decide(
      input({
        generation: generation({ models }),
        section: { candidates: { simple: [ref('twin'), ref('small')], standard: [], complex: [] } },
      }),
    );
    expect(decision.served.model).toBe('twin');
  });

  it('never lets an unknown price win', () => {
    const models = [...standardModels, model('openai', 'secret', null)];
    const decision = decide(
      input({
        generation: generation({ models }),
        section: { candidates: { simple: [ref('secret'), ref('small')], standard: [], complex: [] } },
      }),
    );
    expect(decision.served.model).toBe('small');
    expect(decision.candidates[0]).toMatchObject({ disqualified: 'unknown-price' });
  });

  it('keeps the requested model when every price is unknown', () => {
    const models = [...standardModels, model('openai', 'secret', null)];
    const candidates = { simple: [ref('secret')], standard: [ref('secret')], complex: [ref('secret')] };
    expect(brief(decide(input({ generation: generation({ models }), section: { candidates } })))).toEqual([
      'keep',
      'dear',
      'kept-no-candidate',
      null,
    ]);
  });

  it('keeps the requested model rather than choosing a costlier one', () => {
    const decision = decide(input({ exchange: { model: 'small' }, verdict: { tier: 'complex' } }));
    expect(brief(decision)).toEqual(['keep', 'small', 'kept-cheapest', null]);
    expect(decision.candidates[0]!.disqualified).toBe('costlier-than-requested');
  });

  it('chooses a costlier model when the section allows upgrades', () => {
    expect(brief(decide(input({ exchange: { model: 'small' }, verdict: { tier: 'complex' }, section: { upgrades: 'allow' } })))).toEqual([
      'route',
      'large',
      'tier',
      null,
    ]);
  });

  it('says that the requested model was the cheapest when it is the winner itself, also under a dated name', () => {
    expect(brief(decide(input({ exchange: { model: 'small' } })))).toEqual(['keep', 'small', 'kept-cheapest', null]);
    expect(brief(decide(input({ exchange: { model: 'small-2026-01-01' } })))).toEqual(['keep', 'small-2026-01-01', 'kept-cheapest', null]);
  });

  it('goes up to the next tier when none can do the job', () => {
    const models = standardModels.map((entry) =>
      entry.model === 'small' ? model('openai', 'small', 1, { capabilities: { tools: null } }) : entry,
    );
    const decision = decide(input({ generation: generation({ models }), exchange: { tools: 1 } }));
    expect([...brief(decision), decision.tier]).toEqual(['route', 'middle', 'tier', null, 'standard']);
    expect(decision.candidates[0]!.disqualified).toBe('tools');
  });

  it('falls to the default target, then to the requested model', () => {
    const none = { simple: [], standard: [], complex: [] };
    expect(brief(decide(input({ section: { candidates: none, defaultTarget: ref('large') } })))).toEqual([
      'route',
      'large',
      'default',
      null,
    ]);
    expect(brief(decide(input({ section: { candidates: none, defaultTarget: ref('nowhere') } })))).toEqual([
      'keep',
      'dear',
      'kept-no-candidate',
      null,
    ]);
  });

  it('leaves tiers that are not routed alone', () => {
    expect(brief(decide(input({ section: { routedTiers: new Set(['complex']) } })))).toEqual([
      'keep',
      'dear',
      'kept-tier-not-routed',
      null,
    ]);
  });
});

describe('what stands above the table', () => {
  it('blocks before anything else, with the name of the pattern', () => {
    const secret = { name: 'iban', pattern: anyText, then: { kind: 'block', message: 'no bank data' } as const };
    const decision = decide(input({ section: { sensitivity: [secret], pinned: new Set(['dear']) } }));
    expect(brief(decision)).toEqual(['block', 'dear', 'blocked', 'iban']);
    expect([decision.chain, decision.block]).toEqual([[], { status: 403, message: 'no bank data' }]);
  });

  it('sends sensitive data to the secure model, however dear', () => {
    const secret = { name: 'iban', pattern: anyText, then: toModel('large') };
    expect(brief(decide(input({ exchange: { model: 'small' }, section: { sensitivity: [secret] } })))).toEqual([
      'route',
      'large',
      'sensitivity',
      'iban',
    ]);
  });

  it('blocks sensitive data that the secure model cannot take, rather than sending it elsewhere', () => {
    const secret = { name: 'iban', pattern: anyText, then: toModel('mistral/other') };
    const decision = decide(input({ section: { sensitivity: [secret] } }));
    expect(decision.action).toBe('block');
    expect(decision.block!.message).toContain('provider-not-allowed');
  });

  it('keeps pinned models before overrides are asked', () => {
    expect(brief(decide(input({ section: { pinned: new Set(['dear']), overrides: [rule('override', 'o', toModel('small'))] } })))).toEqual([
      'keep',
      'dear',
      'pinned',
      null,
    ]);
  });

  it('asks overrides before rules, and the first that matches wins', () => {
    const overrides = [
      rule('override', 'a', toModel('small'), false),
      rule('override', 'b', toModel('middle')),
      rule('override', 'c', toModel('large')),
    ];
    expect(brief(decide(input({ section: { overrides, rules: [rule('rule', 'r', { kind: 'keep' })] } })))).toEqual([
      'route',
      'middle',
      'override',
      'b',
    ]);
    expect(brief(decide(input({ section: { rules: [rule('rule', 'r', { kind: 'keep' })] } })))).toEqual([
      'keep',
      'dear',
      'kept-by-rule',
      'r',
    ]);
    expect(brief(decide(input({ section: { rules: [rule('rule', 'r', { kind: 'block', message: 'no' })] } })))).toEqual([
      'block',
      'dear',
      'blocked',
      'r',
    ]);
  });

  it('lets a rule upgrade a tier, also one that is not routed', () => {
    const rules = [rule('rule', 'r', { kind: 'tier', tier: 'complex' })];
    const decision = decide(input({ exchange: { model: 'small' }, section: { rules, routedTiers: new Set() } }));
    expect([...brief(decision), decision.tier]).toEqual(['route', 'large', 'rule', 'r', 'complex']);
  });

  it("takes the last tier's first model that can do the job for `best`", () => {
    const overrides = [rule('override', 'o', { kind: 'best' })];
    const candidates = { simple: [ref('small')], standard: [], complex: [ref('nowhere'), ref('large'), ref('middle')] };
    expect(brief(decide(input({ section: { overrides, candidates } })))).toEqual(['route', 'large', 'override', 'o']);
  });

  it('goes on to the next rule when a named model cannot do the job, and records it', () => {
    const rules = [rule('rule', 'far', toModel('mistral/other')), rule('rule', 'near', toModel('middle'))];
    const decision = decide(input({ section: { rules } }));
    expect(brief(decision)).toEqual(['route', 'middle', 'rule', 'near']);
    expect(decision.candidates[0]).toMatchObject({ target: ref('mistral/other'), disqualified: 'provider-not-allowed', chosen: false });
  });

  it('keeps a model that the catalog does not know, but for overrides', () => {
    const rules = [rule('rule', 'r', toModel('small'))];
    expect(brief(decide(input({ exchange: { model: 'ft:mine' }, section: { rules } })))).toEqual([
      'keep',
      'ft:mine',
      'kept-unknown-model',
      null,
    ]);
    expect(
      brief(decide(input({ exchange: { model: 'ft:mine' }, section: { overrides: [rule('override', 'o', toModel('small'))] } }))),
    ).toEqual(['route', 'small', 'override', 'o']);
    expect(brief(decide(input({ exchange: { model: 'ft:mine' }, section: { unknownModel: 'route' } })))).toEqual([
      'route',
      'small',
      'tier',
      null,
    ]);
  });

  it('moves embeddings only where a rule names a model', () => {
    const models = [
      ...standardModels,
      model('openai', 'embed-a', 1, { mode: 'embedding' }),
      model('openai', 'embed-b', 2, { mode: 'embedding' }),
    ];
    const embed = { operation: 'embed', api: 'openai-embeddings', model: 'embed-b' } as const;
    const rules = [
      rule('rule', 't', { kind: 'tier', tier: 'simple' }),
      rule('rule', 'chat', toModel('small')),
      rule('rule', 'm', toModel('embed-a')),
    ];
    expect(brief(decide(input({ generation: generation({ models }), exchange: embed })))).toEqual([
      'keep',
      'embed-b',
      'kept-operation',
      null,
    ]);
    const decision = decide(input({ generation: generation({ models }), exchange: embed, section: { rules } }));
    expect(brief(decision)).toEqual(['route', 'embed-a', 'rule', 'm']);
    expect(decision.candidates[0]!.disqualified).toBe('mode');
    expect(decision.assumedOutputTokens).toBe(0);
  });
});

describe('shadow mode', () => {
  it('records what would have been served and changes nothing', () => {
    const decision = decide(input({ section: { mode: 'shadow' } }));
    expect(brief(decision)).toEqual(['keep', 'dear', 'shadow', null]);
    expect([decision.wouldServe, decision.shadowReason]).toEqual([ref('small'), 'tier']);
    expect(decision.estimate).toEqual(decision.baselineEstimate);
  });

  it('does not block', () => {
    const secret = { name: 'iban', pattern: anyText, then: { kind: 'block', message: 'no' } as const };
    const decision = decide(input({ section: { mode: 'shadow', sensitivity: [secret] } }));
    expect([decision.action, decision.block, decision.wouldServe, decision.shadowReason, decision.rule]).toEqual([
      'keep',
      null,
      null,
      'blocked',
      'iban',
    ]);
    expect(decision.chain).toEqual([ref('dear')]);
  });
});

describe('what a model must be able to do', () => {
  const cases: readonly (readonly [string, Partial<ParsedRequest>, Parameters<typeof model>[3]])[] = [
    ['context-window', { promptTokens: 99_800 }, {}],
    ['context-window', {}, { contextWindow: null }],
    ['context-window', { promptTokens: 90_000, maxOutputTokens: 15_000 }, {}],
    ['max-output', { maxOutputTokens: 20_000 }, {}],
    ['max-output', { maxOutputTokens: 20 }, { maxOutput: null }],
    ['vision', { images: 1 }, { capabilities: { vision: false } }],
    ['tools', { tools: 1 }, { capabilities: { tools: null } }],
    ['json-object', { jsonOutput: 'object' }, { capabilities: { jsonObject: null } }],
    ['json-schema', { jsonOutput: 'schema' }, { capabilities: { jsonSchema: false } }],
    ['audio-input', { audioInputs: 1 }, { capabilities: { audioInput: null } }],
    ['audio-output', { audioOutput: true }, { capabilities: { audioOutput: null } }],
    ['files', { files: 1 }, { capabilities: { files: false } }],
    ['reasoning', { reasoning: 'high' }, { capabilities: { reasoning: false } }],
    ['mode', {}, { mode: 'responses' }],
    ['mode', { api: 'openai-completions' }, { mode: 'chat' }],
    ['mode', { api: 'openai-responses' }, { mode: 'embedding' }],
  ];
  it.each(cases)('finds %s for %j on %j', (fault, facts, entry) => {
    const models = [...standardModels.filter(({ model: name }) => name !== 'small'), model('openai', 'small', 1, entry)];
    const decision = decide(
      input({
        generation: generation({ models }),
        exchange: facts,
        section: { candidates: { simple: [ref('small')], standard: [], complex: [] } },
      }),
    );
    expect(decision.candidates).toMatchObject([{ disqualified: fault, chosen: false }]);
    expect(decision.served.model).toBe('dear');
  });

  it('lets a model without reasoning take a request that switches it off', () => {
    const models = [
      ...standardModels.filter(({ model: name }) => name !== 'small'),
      model('openai', 'small', 1, { capabilities: { reasoning: false } }),
    ];
    expect(decide(input({ generation: generation({ models }), exchange: { reasoning: 'disabled' } })).served.model).toBe('small');
  });

  it('crosses to another provider only when allowed, with the same API and a key', () => {
    const at = (target: string, allow: string[], has?: (name: string) => boolean) =>
      decide(
        input({
          section: { allowProviders: new Set(allow), candidates: { simple: [ref(target)], standard: [], complex: [] } },
          ...(has === undefined ? {} : { hasCredential: has }),
        }),
      ).candidates[0]!.disqualified;
    expect(at('mistral/other', [])).toBe('provider-not-allowed');
    expect(at('mistral/other', ['mistral'])).toBeNull();
    expect(at('mistral/other', ['mistral'], () => false)).toBe('no-credential');
    // Nothing says that the request can be translated.
    expect(at('anthropic/claude', ['anthropic'])).toBe('not-translatable');
    const obstacles = [{ path: 'n', why: 'gives one answer' }];
    const crossing = input({
      section: { allowProviders: new Set(['anthropic']), candidates: { simple: [ref('anthropic/claude')], standard: [], complex: [] } },
    });
    const [claude] = decide({ ...crossing, canTranslate: () => false, obstacles: () => obstacles }).candidates;
    expect(claude).toMatchObject({ disqualified: 'not-translatable', obstacles });
    expect(at('nobody/x', ['nobody'])).toBe('provider-not-allowed');
  });

  it('serves only deployments on Azure, priced by the model behind them', () => {
    const azure = provider('corp', {
      family: 'azure-openai',
      catalogProvider: 'azure',
      deployments: new Map([
        ['cheap-one', 'small'],
        ['app', 'dear'],
      ]),
    });
    const models = [model('azure', 'small', 1), model('azure', 'dear', 20)];
    const decision = decide(
      input({
        provider: azure,
        generation: generation({ models, providers: new Map([['corp', azure]]) }),
        exchange: { model: 'app' },
        section: { candidates: { simple: [ref('corp/small'), ref('corp/cheap-one')], standard: [], complex: [] } },
      }),
    );
    expect(decision.candidates.map(({ disqualified }) => disqualified)).toEqual(['unknown-model', null]);
    expect(decision.served.model).toBe('cheap-one');
    expect(decision.baselineEstimate).toEqual({ known: true, usd: 0.008 });
  });
});

describe('for any request and policy', () => {
  const names = ['small', 'middle', 'large', 'dear', 'nowhere', 'odd', 'mistral/other', 'anthropic/claude', 'nobody/x'];
  const target = fc.constantFrom(...names).map(ref);
  const directive: fc.Arbitrary<Directive> = fc.oneof(
    fc.record({ kind: fc.constant('tier' as const), tier: fc.constantFrom(...tiers) }),
    fc.record({ kind: fc.constant('model' as const), target }),
    fc.constant({ kind: 'best' as const }),
    fc.constant({ kind: 'keep' as const }),
    fc.record({ kind: fc.constant('block' as const), message: fc.constant('no') }),
  );
  const models = [...standardModels, model('openai', 'odd', 0.1, { contextWindow: 2_000, capabilities: { tools: null, vision: false } })];
  const any = fc
    .record({
      exchange: fc.record({
        model: fc.constantFrom('small', 'dear', 'odd', 'ft:mine'),
        promptTokens: fc.nat(150_000),
        tools: fc.nat(2),
        images: fc.nat(2),
        operation: fc.constantFrom('generate' as const, 'count' as const),
        maxOutputTokens: fc.option(fc.nat(30_000)),
        jsonOutput: fc.constantFrom('none' as const, 'schema' as const),
        n: fc.integer({ min: 1, max: 4 }),
      }),
      tier: fc.constantFrom(...tiers),
      simple: fc.array(target, { maxLength: 4 }),
      standard: fc.array(target, { maxLength: 4 }),
      complex: fc.array(target, { maxLength: 4 }),
      rules: fc.array(fc.tuple(directive, fc.boolean()), { maxLength: 3 }),
      allow: fc.subarray(['mistral', 'anthropic']),
      upgrades: fc.constantFrom('never' as const, 'allow' as const),
      unknownModel: fc.constantFrom('keep' as const, 'route' as const),
      defaultTarget: fc.option(target),
      routedTiers: fc.subarray([...tiers]),
    })
    .map(({ exchange, tier, simple, standard, complex, rules, allow, routedTiers, ...rest }) => ({
      generation: generation({ models }),
      exchange,
      verdict: { tier },
      section: {
        ...rest,
        candidates: { simple, standard, complex },
        rules: rules.map(([then, matches], at) => rule('rule', `r${at}`, then, matches)),
        allowProviders: new Set(allow),
        routedTiers: new Set(routedTiers),
      },
    }));

  it('serves the requested model or one that can do the job, at a provider that is allowed', () => {
    fc.assert(
      fc.property(any, (facts) => {
        const given = input(facts);
        const decision = decide(given);
        if (decision.action !== 'route') {
          expect(decision.served).toEqual(decision.requested);
          return;
        }
        expect(
          disqualify(given, decision.served, entryOf(given, decision.served), expectedAnswerTokens(given.exchange, given.verdict)),
        ).toBeNull();
        expect(decision.served.provider === openai.name || given.section.allowProviders.has(decision.served.provider)).toBe(true);
        expect(decision.candidates.filter(({ chosen }) => chosen).map((one) => one.target)).toEqual([decision.served]);
      }),
      runs(500),
    );
  });

  it("never spends more by the table than the requested model's estimate unless upgrades are allowed", () => {
    fc.assert(
      fc.property(any, (facts) => {
        const decision = decide(input({ ...facts, section: { ...facts.section, upgrades: 'never' } }));
        if (decision.reason !== 'tier' || !decision.baselineEstimate.known) return;
        expect(decision.estimate.known && decision.estimate.usd <= decision.baselineEstimate.usd).toBe(true);
      }),
      runs(500),
    );
  });

  it('decides the same twice, and changes nothing in shadow mode', () => {
    fc.assert(
      fc.property(any, (facts) => {
        const decision = decide(input(facts));
        expect(decide(input(facts))).toEqual(decision);
        const shadow = decide(input({ ...facts, section: { ...facts.section, mode: 'shadow' } }));
        expect([shadow.action, shadow.served, shadow.block]).toEqual(['keep', decision.requested, null]);
        expect([shadow.shadowReason, shadow.wouldServe]).toEqual([decision.reason, decision.action === 'block' ? null : decision.served]);
      }),
      runs(300),
    );
  });
});

describe('what a caller says', () => {
  const ban = rule('override', 'ban', { kind: 'block', message: 'no' });
  const hinted = (then: Directive): typeof ban => ({ ...rule('override', 'hint', then), hinted: true });
  const off = (section: Parameters<typeof input>[0] & object): ReturnType<typeof decide> => decide({ ...input(section), keepModel: true });

  it('keeps its model with route off, unless a block or a secure model stands against it', () => {
    expect(brief(off({}))).toEqual(['keep', 'dear', 'route-off', null]);
    expect(brief(off({ section: { overrides: [rule('override', 'move', toModel('small'))] } }))).toEqual([
      'keep',
      'dear',
      'route-off',
      null,
    ]);
    expect(brief(off({ section: { overrides: [ban] } }))).toEqual(['block', 'dear', 'blocked', 'ban']);
    expect(
      brief(
        off({
          section: {
            overrides: [rule('override', 'move', toModel('small'))],
            rules: [rule('rule', 'ban', { kind: 'block', message: 'no' })],
          },
        }),
      ),
    ).toEqual(['block', 'dear', 'blocked', 'ban']);
    expect(brief(off({ section: { overrides: [rule('override', 'stay', { kind: 'keep' }), ban] } }))).toEqual([
      'keep',
      'dear',
      'route-off',
      null,
    ]);
    expect(brief(off({ section: { sensitivity: [{ name: 'secret', pattern: anyText, then: toModel('small') }] } }))).toEqual([
      'route',
      'small',
      'sensitivity',
      'secret',
    ]);
    expect(
      brief(off({ section: { sensitivity: [{ name: 'secret', pattern: anyText, then: { kind: 'block', message: 'no' } }] } })),
    ).toEqual(['block', 'dear', 'blocked', 'secret']);
  });

  it('lifts no block with a rule that depends on it', () => {
    for (const then of [toModel('small'), { kind: 'keep' }, { kind: 'tier', tier: 'simple' }] as const) {
      expect(brief(decide(input({ section: { overrides: [hinted(then), ban] } })))).toEqual(['block', 'dear', 'blocked', 'ban']);
      expect(
        brief(decide(input({ section: { overrides: [hinted(then)], rules: [rule('rule', 'ban', { kind: 'block', message: 'no' })] } }))),
      ).toEqual(['block', 'dear', 'blocked', 'ban']);
    }
    expect(
      brief(decide(input({ section: { overrides: [hinted(toModel('small')), rule('override', 'stay', { kind: 'keep' }), ban] } }))),
    ).toEqual(['route', 'small', 'override', 'hint']);
    expect(brief(decide(input({ section: { overrides: [rule('override', 'move', toModel('small')), ban] } })))).toEqual([
      'route',
      'small',
      'override',
      'move',
    ]);
  });

  it('lifts no block by a pinned model or by one that the catalog lacks', () => {
    const rules = [rule('rule', 'ban', { kind: 'block', message: 'no' })];
    expect(brief(decide(input({ section: { pinned: new Set(['dear']), rules } })))).toEqual(['block', 'dear', 'blocked', 'ban']);
    expect(brief(decide(input({ exchange: { model: 'nobody-knows' }, section: { rules } })))).toEqual([
      'block',
      'nobody-knows',
      'blocked',
      'ban',
    ]);
  });
});
