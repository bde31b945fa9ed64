/** Rewrites of phrases to one form; each matches between spaces or at an end of the words. */
type Rewrite = readonly [RegExp, string];

const courtesies: readonly Rewrite[] = [
  // "Could you please tell me what …" becomes "what …", and "could you explain …" becomes "explain …".
  [
    /^(?:(?:hi|hello|hey) )?(?:(?:can|could|would|will) you )?(?:(?:tell|explain to|show) me |explain |suggest )(?=(?:how|what|why|where|when|who|whose|if|whether) )/,
    '',
  ],
  [/^(?:can|could|would|will) you (?=(?:tell|explain|describe|define) )/, ''],
  [/\b(what|who|how|where|when|why) (?:do|would) you (?:think|believe|say) (?=(?:is|are|will|would|was|were|should) )/, '$1 '],
  [/ (?:in your opinion|according to you|in your view)(?= |$)/, ''],
  [/ (?:please )?comment$/, ''],
];

const things: readonly Rewrite[] = [
  [/(?<![.,\d])(\d+) k(?= |$)/g, '$1000'],
  [/(?:^| )(?:rs|₹|inr) (\d[\d.]*)/gi, ' $1 rupee'],
  [/(\d) (?:rs|inr)(?= |$)/gi, '$1 rupee'],
  [/\$ (\d[\d.]*)/g, '$1 dollar'],
  [/\bunited state(?: of america)?\b/g, 'america'],
  [/\b(?:cell|smart|mobile|phone) phone\b/g, 'phone'],
  [/\btv (?:show|serie|program)\b/g, 'tv series'],
  [/\be (mail|commerce|book)\b/g, 'e$1'],
  [/\bwi fi\b/g, 'wifi'],
  [/\byou tube\b/g, 'youtube'],
  [/\b(?:log ?in|sign in) to\b/g, 'log into'],
  [/\bin order to\b/g, 'to'],
  [/\bdue to\b/g, 'because of'],
  [/\bas well as\b/g, 'and'],
  [/\b(?:reduce|shed) weight\b/g, 'lose weight'],
  [/\bquit smoking\b/g, 'stop smoking'],
  [/\bmost hard\b/g, 'hardest'],
  [/\bmost smart\b/g, 'smartest'],
  [/\bpro and con\b/g, 'advantage and disadvantage'],
  [/\bget over\b/g, 'overcome'],
  [/\bthese day\b/g, 'today'],
  [/\bhair (?:fall|falling)\b/g, 'hair loss'],
  [/\bearn(ing)? (?=(?:\S+ ){0,2}money\b)/g, 'make$1 '],
  [/\b(?:build|create|develop) (?=(?:\S+ ){0,4}(?:app|site|game|software|bot|blog)\b)/g, 'make '],
];

const grammar: readonly Rewrite[] = [
  // "How I can …".
  [/^(how|why|what|where|when) (i|you|we|one) (can|could|should|do|will|would) /, '$1 $3 $2 '],
  [/(?<=\S \S+ )that (?=(?:i|you|we|they|he|she|people|is|are|can|will|have|has) )/g, ''],
  [/ (?:made|written|asked|directed) (?=(?:by|in|on) )/g, ' '],
  [/\b(you|i) have (?=\S+(?:ed|en|d|t|wn)$)/, '$1 '],
  [/^what (?:one|is one of|are one of|is of|are of) (?:is |are )?(?=best|most|worst)/, 'what is '],
  [/^how (?:long|much time|many time) (?:do )?it (?:take|require) (?:for (?:person|someone|one) )?to /, 'how long do it take to '],
  [/^how (?:long|much time|many time) do it (?:take|require) (?:for (?:person|someone|one) )?to /, 'how long do it take to '],
  [/^((?:what|who) (?:is|are) .+?)(?: and)? why(?: not| or why not)?$/, '$1'],
  [/^how come /, 'why '],
  [/^what (?:is|are) (?:main |real )?reason (?:why|that) /, 'why '],
  [/^what should i do (?=(?:if|when|after|about|with) )/, 'what do i do '],
  [/^where (?:can|could|should) /, 'where do '],
  [/^(how) (?:can|could|should|would) /, '$1 do '],
  [/\b(?:on|at)\b/g, 'in'],
];

/** Rewrites the phrases of a question to one form. */
export function onePhrasing(words: string): string {
  let out = words;
  for (const list of [courtesies, things, grammar]) for (const [from, to] of list) out = out.replace(from, to);
  return out.trim();
}
