/** The models of the ladder, each of them a model for OpenAI's traffic. */
export interface LadderModels {
  readonly small: string;
  readonly middle: string;
  readonly large: string;
}

/** The classic ladder of routing strategies, as policies: from `tiers` on, each step adds to the one before. */
export function strategies({ small, middle, large }: LadderModels): readonly { readonly name: string; readonly policy: string }[] {
  const candidates = `  candidates: { simple: [${small}], standard: [${middle}], complex: [${large}] }`;
  const tiers = `${candidates}\n  tiers: [simple, standard]`;
  const learned = `${tiers}\n  learned: { weak: ${small}, strong: [${large}], maxQualityLoss: 2%, pair: { weak: mixtral-8x7b-instruct, strong: gpt-4-1106-preview } }\n  models: { list: [${small}, ${middle}], for: [${large}], maxQualityLoss: 2% }`;
  const fallback = `${learned}\n  fallback: { escalate: true, attempts: 3 }`;
  const cache = `  cache: { mode: on, share: workspace }`;
  // Fields where a wrong answer causes harm keep the large model, in every tier.
  const segments = `  rules: [{ name: expert-fields, when: "verdict.domain in ['medical', 'legal', 'finance']", then: { tier: complex } }]`;
  const policy = (settings: string): string => `version: 1\ndefaults:\n${settings}\n`;
  return [
    { name: 'naive: the requested model', policy: policy('  tiers: []') },
    {
      name: 'token-based: short to the small model',
      policy: policy(`  tiers: []\n  rules: [{ name: short, when: "request.promptTokens < 100", then: { model: ${small} } }]`),
    },
    { name: 'tiers', policy: policy(tiers) },
    { name: 'learned', policy: policy(learned) },
    { name: 'with fallback', policy: policy(fallback) },
    { name: 'segmented with cache', policy: policy(`${fallback}\n${cache}\n${segments}`) },
  ];
}
