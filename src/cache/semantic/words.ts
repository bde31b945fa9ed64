/**
 * English word lists of the semantic cache: what a question may change without asking for something else. A word that stands in none
 * of them counts as it is.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const pairs = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .trim()
      .split(/\s*,\s*/)
      .map((pair) => {
        const [from = '', to = ''] = pair.split('=', 2);
        return [from, to] as const;
      }),
  );

/** What a question begins with. Orders (write, translate, fix …) often carry a text whose every letter counts. */
export const openers = words(`
  how what which why where when who whom whose is are am was were does do did can could should would will has have had may might must
  explain describe define tell`);

/** Openers that other languages have too; then one of the marks has to stand beside them. */
export const sharedOpeners = words('is was will am');
export const englishMarks = words('the a of and to you i it for with that this there be have my your from not how what which why where when who than');

/** Where one of these stands, letters and forms of words are what is asked about. */
export const aboutWords = words(`
  word words letter letters character characters syllable syllables spell spelled spelt spelling vowel vowels consonant consonants plural plurals
  singular synonym synonyms antonym antonyms anagram anagrams palindrome rhyme rhymes rhyming translate translated translation grammar
  grammatical grammatically sentence sentences phrase phrases punctuation comma apostrophe hyphen capitalize capitalized uppercase lowercase
  pronounce pronounced pronunciation verb verbs noun nouns tense preposition article articles adjective adverb conjugate prefix suffix
  string strings regex reverse reversed repeat`);

export const contractions = pairs(`
  what's=what is, whats=what is, how's=how is, hows=how is, who's=who is, where's=where is, that's=that is, there's=there is, it's=it is,
  i'm=i am, you're=you are, they're=they are, we're=we are, i've=i have, you've=you have, i'll=i will, don't=do not, dont=do not,
  doesn't=does not, doesnt=does not, didn't=did not, can't=can not, cannot=can not, won't=will not, isn't=is not, aren't=are not,
  wasn't=was not, weren't=were not, shouldn't=should not, wouldn't=would not, couldn't=could not, haven't=have not, hasn't=has not, hadn't=had not`);

/** An "a" after one of these is a name and no article: vitamin A, hepatitis a. */
export const lettered = words('vitamin hepatitis grade plan type group class section option part team series schedule appendix model form level blood influenza article point case');

/** A question asks the same without them. */
export const fillers = words('some please kindly exactly actually really ever');

/** At the beginning they ask for nothing. */
export const greetings = words('hi hello hey');

/** Words in s that are no plurals, or mean something else without it. */
export const keepsS = words(`
  is was has does this as us its his hers yes always perhaps unless plus minus news windows glasses jobs means species series arms customs goods
  lens sales politics ethics physics mathematics economics statistics genetics electronics graphics athletics mechanics dynamics analytics
  rabies diabetes measles mars texas paris kansas arkansas athens wales james charles pandas kubernetes redis postgres rails https dns aws
  gas canvas atlas christmas alias bias yours ours theirs afterwards besides towards sometimes ios sas`);

/** One word spelt, written or named otherwise. */
export const sameWord = pairs(`
  does=do, which=what, colour=color, colours=color, favourite=favorite, favourites=favorite, programme=program, programmes=program,
  organise=organize, organisation=organization, realise=realize, optimise=optimize, analyse=analyze, centre=center, licence=license,
  grey=gray, travelling=traveling, travelled=traveled, behaviour=behavior, labour=labor, neighbour=neighbor, maths=math, mathematics=math,
  vs=versus, u=you, ur=your, usa=america, movie=film, movies=film, purchase=buy, purchasing=buying, quickly=fast, pic=photo, pics=photo,
  photograph=photo, photographs=photo, cellphone=phone, smartphone=phone, smartphones=phone, television=tv, info=information,
  &=and, website=site, websites=site, examination=exam, examinations=exam, advertisement=ad, advertisements=ad, largest=biggest, begin=start,
  begins=start, ok=okay, thru=through, two=2, three=3, four=4, five=5, six=6, seven=7, eight=8, nine=9, ten=10, eleven=11, twelve=12,
  hundred=100, thousand=1000, anybody=anyone, somebody=someone, everybody=everyone`);

/** Whoever asks "how do …" may name anybody. */
export const anyone = words('i you we one someone anyone people');

/** Where something is, after the first word. */
export const places = words('in at on');

/** Whose it is does not matter in "how do I delete my account". */
export const possessives = words('my our');
