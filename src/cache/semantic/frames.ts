import { functionWords, prepositions } from './words.ts';

/** What is asked for, and about what. Two questions ask the same if both are equal. */
export interface Framed {
  readonly frame: string;
  readonly rest: string;
  /**
   * Whether other questions of the frame ask the same: `nearly` if a short question leaves the meaning open; `perhaps` if "you" may be
   * whoever answers.
   */
  readonly sure: 'yes' | 'nearly' | 'perhaps';
}

const anyoneDoes =
  /^how (?:to |do (?:to |(?:i|we|one|someone|anyone|person) (?:to )?(?:go about )?))|^what (?:should|can|could|do|must) (?:i|we|one|someone) (?:have to |need to )?do (?:in order )?to /;
const youDo =
  /^how do (?:you|people) (?:go about )?|^what (?:should|can|could|do|must) (?:you|people) (?:have to |need to )?do (?:in order )?to /;
const way =
  /^(?:what (?:is|are) (?:(?:of|best|good|great|different|effective|possible|proper|right|correct|various|ideal) |most (?:efficient|effective) )*(?:way|method|technique|strategy|tip|trick|step) |is there (?:any )?(?:(?:good|possible) )?way )(?:(?:to|i can|for me to) |(?:for|of|in) (?=\S+ing(?: |$)))/;
const superlative = /^(what|who|where) (?:is|are) (?:of )?((?:most|least) \S+|\p{L}{2,}est|best|worst|top(?! \d)) (.+)$/u;
const bestOf = /^what ((?:\S+ ){1,3})(?:is|are) best(?= |$)(?! (?:known|described|suited))(.*)$/;
const favorite = /^(?:what|who) (?:is|are) your (?:(?:personal|most|all time) )?favorite (.+)$/;
const difference =
  /^what (?:is|are) (?:main |basic |key )?difference between (.+?) (?:and|or|versus) ((?:(?! and ).)+?)((?: (?:in|for|with|as|when) .+)?)$/;
const feeling = /^(?:what (is|was) it (?:feel )?like (?:to )?|(?:what|how) do it feel (?:like )?(?:to )?)(.+)$/;
const whyIt = /^why (?:do )?(.+)$/;

/** Words in -est that are not superlatives. */
const noSuperlative: ReadonlySet<string> = new Set([
  'interest',
  'forest',
  'west',
  'quest',
  'request',
  'guest',
  'test',
  'rest',
  'contest',
  'protest',
  'harvest',
  'invest',
  'conquest',
  'arrest',
  'chest',
  'nest',
  'digest',
  'honest',
  'modest',
  'latest',
  'northwest',
  'southwest',
  'midwest',
  'budapest',
  'everest',
]);

/** Words that join several statements, whose order then carries meaning. */
const joined =
  /(?:^| )(?:if|when|that|because|while|who|whom|whose|where|whether|why|how|what|which|not|no|never|and|or|but|instead|more|less|than|as|so|i|you|we|they|he|she|it|is|are|was|were|do|did|can|will)(?: |$)/;

/** Finds what is asked for; `loosely` treats nearly equal frames as equal. */
export function framed(words: string, loosely: boolean): Framed {
  const asked = loosely ? words.replace(/^(what|who) would be /, '$1 will be ') : words;
  return doing(asked, loosely) ?? superlativeOf(asked, loosely) ?? other(asked, loosely);
}

/** "How do I …", in one of its many forms. */
function doing(words: string, loosely: boolean): Framed | null {
  const [strict, you, ways] = [anyoneDoes.exec(words), youDo.exec(words), way.exec(words)];
  const found = strict ?? you ?? ways;
  if (found === null) return null;
  const sure = strict !== null ? 'yes' : you !== null ? 'perhaps' : 'nearly';
  const [verb = '', ...rest] = words.slice(found[0].length).split(' ');
  // In "how do I delete my account" the owner does not matter; in "how do you know whether you can" the first "you" says who the second is.
  const mine = ` ${rest.join(' ')}`.replace(/ (?:my|our)(?= )/g, '').replace(/ (?:i|me)(?= |$)/g, ' me');
  const anyones = sure === 'yes' ? mine : mine.replace(/ your(?= )/g, '').replace(/ you(?= |$)/g, ' me');
  const object = (loosely ? anyones.replace(/^( for .+) exam$/, '$1') : anyones).trim();
  return {
    frame: 'how',
    rest: orderless(
      `${stem(verb)} ${object}`
        .trim()
        .replace(/^learn (?:how )?to /, 'learn ')
        .replace(/^learn about /, 'learn '),
    ),
    sure,
  };
}

function superlativeOf(words: string, loosely: boolean): Framed | null {
  const best = bestOf.exec(words);
  const plain = best === null ? words : `what is best ${best[1]!.trim()}${best[2]!}`;
  const [, who, most, about] = superlative.exec(loosely ? plain.replace(/^what (?:is|are) (?:good|great) /, 'what is best ') : plain) ?? [];
  if (who === undefined || most === undefined || about === undefined || noSuperlative.has(most)) return null;
  const bare = about
    .replace(/ ?\b(?:of )?all time\b/, '')
    .replace(/ (?:in|of) life$/, '')
    .replace(/ you (?:have )?(?:seen|saw|see|read|watched|heard|used|found|come across)$/, '')
    .replace(/ to (?:watch|read|buy|use|eat)$/, '')
    .replace(/ made$/, '')
    .replace(/ available(?= |$)/, '');
  return {
    frame: `${who} ${most === 'top' ? 'best' : most}`,
    rest: orderless(infinitives(loosely ? bare.replace(/ (?:in|of) (?:world|earth)$/, '') : bare)),
    sure: 'yes',
  };
}

function other(words: string, loosely: boolean): Framed {
  const liked = favorite.exec(words);
  if (liked !== null) return { frame: 'favorite', rest: liked[1]!, sure: 'yes' };
  const differ = difference.exec(words);
  if (differ !== null) {
    // The difference is symmetric.
    const [a = '', b = ''] = [differ[1]!, differ[2]!].sort();
    return { frame: 'difference', rest: `${a} | ${b} |${differ[3]!}`, sure: 'yes' };
  }
  const felt = feeling.exec(words);
  if (felt !== null) {
    const [verb = '', ...rest] = felt[2]!.split(' ');
    return { frame: felt[1] === 'was' ? 'felt' : 'feels', rest: [verb === 'being' ? 'be' : stem(verb), ...rest].join(' '), sure: 'yes' };
  }
  const why = whyIt.exec(words);
  if (why !== null) return reason(why[1]!.split(' '));
  return { frame: '', rest: loosely ? words.replace(/\bare\b/g, 'is') : words, sure: 'yes' };
}

/** "Why X is Y" is "why is X Y". */
function reason(words: readonly string[]): Framed {
  const moved = words.filter((word) => auxiliaries.has(word));
  return moved.length === 1
    ? { frame: `why ${moved[0]!}`, rest: words.filter((word) => !auxiliaries.has(word)).join(' '), sure: 'yes' }
    : { frame: 'why', rest: words.join(' '), sure: 'yes' };
}

const auxiliaries: ReadonlySet<string> = new Set(['is', 'are', 'was', 'were', 'did', 'has', 'have']);

/** "For learning" and "to learn" become the same. */
function infinitives(words: string): string {
  return words
    .replace(/(?:^| )(?:for|of|in) ([a-z]{3,}ing)(?= |$)/g, (_all, verb: string) => ` ~${stem(verb)}`)
    .replace(/(?:^| )to ([a-z]+)(?= |$)/g, (_all, verb: string) => ` ~${stem(verb)}`)
    .trim();
}

/** Sorts the phrases that begin with a preposition or "to do" alphabetically; unchanged if one occurs twice or the order may matter. */
function orderless(words: string): string {
  if (joined.test(words)) return words;
  const phrases: string[][] = [[]];
  const begun = new Set<string>();
  for (const word of words.split(' ')) {
    const begins = prepositions.has(word) && word !== 'of' ? word : word.startsWith('~') ? '~' : null;
    if (begins !== null && begun.has(begins)) return words;
    if (begins !== null) {
      begun.add(begins);
      phrases.push([]);
    }
    phrases.at(-1)!.push(word);
  }
  const [head = '', ...others] = phrases.map((phrase) => phrase.join(' '));
  return [head, ...others.sort()].join(' ').trim();
}

function stem(verb: string): string {
  let base = verb;
  if (verb.length >= 6 && verb.endsWith('ing') && /[aeiouy]/.test(verb.slice(0, -3)))
    base = verb.slice(0, -3).replace(/([bdgmnprt])\1$/, '$1');
  return base.length >= 4 && base.endsWith('e') ? base.slice(0, -1) : base;
}

/** Number of words that say what a question is about. */
export function evidence(rest: string): number {
  return rest.split(' ').filter((word) => !functionWords.has(word)).length;
}
