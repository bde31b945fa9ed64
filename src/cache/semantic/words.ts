/**
 * English word lists of the semantic cache: what a question may change without asking for something else. A word in none of the lists
 * counts as written.
 */
import { pairsOf, wordsOf } from './lists.ts';

/** First words of a question. Orders (write, translate, fix …) are not included: they often carry a text in which every letter counts. */
export const openers = wordsOf(`
  how what which why where when who whom whose is are am was were does do did can could should will would has have had may might must
  explain describe define tell`);

/** Openers that exist in other languages too; one of the marks must then also be present. */
export const sharedOpeners = wordsOf('is was will am');
export const englishMarks = wordsOf(
  'the a of and to you i it for with that this there be have my your from not how what which why where when who than',
);

/** Words that show that a question is about letters or word forms. */
export const aboutWords = wordsOf(`
  word words letter letters character characters syllable syllables spell spelled spelt spelling vowel vowels consonant consonants plural plurals
  singular synonym synonyms antonym antonyms anagram anagrams palindrome rhyme rhymes rhyming translate translated translation grammar
  grammatical grammatically sentence sentences phrase phrases punctuation comma apostrophe hyphen capitalize capitalized uppercase lowercase
  pronounce pronounced pronunciation verb verbs noun nouns tense preposition article articles adjective adverb conjugate prefix suffix
  string strings regex reverse reversed repeat`);

/** Words of a question about a word's meaning: then only case and contractions are normalised. */
export const meaningWords = wordsOf('mean means meant meaning meanings definition definitions define called say says said stand stands');

export const contractions = pairsOf(`
  what's=what is, whats=what is, how's=how is, hows=how is, who's=who is, where's=where is, when's=when is, why's=why is, that's=that is, there's=there is, it's=it is,
  he's=he is, she's=she is, here's=here is, let's=let us, one's=my,
  i'm=i am, you're=you are, they're=they are, we're=we are, i've=i have, you've=you have, we've=we have, they've=they have, i'll=i will, you'll=you will, i'd=i would, don't=do not, dont=do not,
  doesn't=does not, doesnt=does not, didn't=did not, can't=can not, cannot=can not, won't=will not, isn't=is not, aren't=are not,
  wasn't=was not, weren't=were not, shouldn't=should not, wouldn't=would not, couldn't=could not, haven't=have not, hasn't=has not, hadn't=had not`);

/** An "a" after one of these is a name, not an article: vitamin A, hepatitis a. */
export const lettered = wordsOf(
  'vitamin hepatitis grade plan type group class section option part team series schedule appendix model form level blood influenza article point case',
);

/** Words that can be removed without changing the question. */
export const fillers = wordsOf(
  'some please kindly exactly actually really truly ever so very quite basically literally simply currently such',
);

/** Words at the beginning that are not part of the question. */
export const greetings = wordsOf('hi hello hey');

/** Words in -s that are not plurals, or mean something else without it. */
export const keepsS = wordsOf(`
  is was has does this as us its his hers yes always perhaps unless plus minus news windows glasses jobs means species series arms customs goods
  lens sales politics ethics physics mathematics economics statistics genetics electronics graphics athletics mechanics dynamics analytics
  rabies diabetes measles mars texas paris kansas arkansas athens wales james charles pandas kubernetes redis postgres rails https dns aws
  gas canvas atlas christmas alias bias yours ours theirs afterwards besides towards sometimes ios sas`);

/** Synonyms. */
export const sameWord = pairsOf(`
  does=do, which=what, vs=versus, usa=america, movie=film, movies=film, purchase=buy, purchasing=buying, quickly=fast, rapidly=fast, quickest=fastest,
  photograph=photo, photographs=photo, picture=photo, pictures=photo, cellphone=phone, cellphones=phone, smartphone=phone, smartphones=phone, mobile=phone,
  mobiles=phone, television=tv, &=and, website=site, websites=site, examination=exam, examinations=exam, advertisement=ad, advertisements=ad,
  largest=biggest, larger=bigger, large=big, begin=start, begins=start, simplest=easiest, obtain=get, enhance=improve, delete=remove, deleting=removing,
  deleted=removed, nowadays=today, everyday=every day, abroad=overseas, cv=resume, cvs=resume, guy=man, guys=man, children=child, kid=child, kids=child,
  men=man, women=woman, lady=woman, ladies=woman, feet=foot, mice=mouse, wives=wife, knives=knife, criteria=criterion, mom=mother, mum=mother, dad=father,
  lawyer=attorney, lawyers=attorney, automobile=car, automobiles=car, motorcycle=motorbike, motorcycles=motorbike, marijuana=cannabis, nation=country,
  nations=country, physician=doctor, physicians=doctor, shop=store, shops=store, repair=fix, repairing=fixing, select=choose, wealthy=rich, wealthiest=richest,
  intelligent=smart, difficult=hard, sofa=couch, ill=sick, entire=whole, till=until, frequently=often, nearly=almost, permit=allow, permitted=allowed,
  inexpensive=cheap, costly=expensive, huge=big, tiny=small, identify=recognize, require=need, requires=need, required=needed, assist=help, regarding=about,
  concerning=about, commence=start, acquire=get, normally=usually, generally=usually, additional=extra, sufficient=enough,
  two=2, three=3, four=4, five=5, six=6, seven=7, eight=8, nine=9, ten=10, eleven=11, twelve=12,
  hundred=100, thousand=1000, anybody=anyone, somebody=someone, everybody=everyone`);

/** Words that relate the things of a question; all other words are its content. */
export const functionWords = wordsOf(`
  a an the is are was were am be been being do did has have had can could will would should may might must i we you he she it they my our your his her
  their me us him them of in on at for to from with without by about and or not no if when that what who how why where than as more most less least best
  good one get make`);

/** Prepositions stay with the next word, so that "from A to B" is not "from B to A". */
export const prepositions = wordsOf(`
  in of for from to with without about than against before after under above below over between into onto versus not by like through during until since except
  despite per via toward towards off behind near inside outside among around beyond within`);
