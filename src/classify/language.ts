import { foldLetters } from './text/letters.ts';

/** Characters read: enough to detect a language, and cheap for any text. */
const window = 400;

const scripts: readonly (readonly [string, RegExp])[] = [
  ['ja', /[\p{Script=Hiragana}\p{Script=Katakana}]/u],
  ['ko', /\p{Script=Hangul}/u],
  ['zh', /\p{Script=Han}/u],
  // Letters that Ukrainian has and Russian lacks.
  ['uk', /[їєіґ]/iu],
  ['ru', /\p{Script=Cyrillic}/u],
  ['ar', /\p{Script=Arabic}/u],
  ['hi', /\p{Script=Devanagari}/u],
  // Letters that only Vietnamese has.
  ['vi', /[ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]/iu],
];

/** Short words that are frequent in one language and rare in the others. */
const common: readonly (readonly [string, string])[] = [
  [
    'en',
    "the is of and a i what how with to for this write in that my it you please can are be not from when should do does did on an at as or if by your have has there but we they will all any about me no so just was were which who why give make need it's im don't",
  ],
  [
    'de',
    'der das und ist wie ein eine einen für nicht mit zwischen von ich wir mir bitte auf den dem zu im kann wenn bei sie es noch aus nach mein meine zum zur oder als wird',
  ],
  [
    'fr',
    'le la les des est une pour dans et avec du entre qu que je il elle pas sur au aux ce cette ma un en quel quelle comment vous nous mes moi deux',
  ],
  ['es', 'el la los las una un qué cómo para con del por entre es y que en mi su al más está si cuál le esta este se lo sin muy'],
  [
    'it',
    'il gli una che di e è per con della dei delle mi non come cosa sono nel nella ho ma più questo questa al alla un la le si da ed mio mia',
  ],
  ['pt', 'um uma que de da dos das em na para com não é como por meu minha se eu mais isso ao qual você foi e o os ou está pra pro nos'],
  ['pl', 'w na z nie się jak co jest że dla czy od mi ma mam za przez jaki jaka jakie mój moja tego jej ale już być oraz aby'],
  // Hindi in Latin letters.
  [
    'hi',
    'hai hain kya kaise nahi nahin mein mujhe mera meri mere kar karo karna karu batao kyu kyun hota hoti raha rahe rahi tha bhi aur yeh ka ki ke ko kitne kitni wala gaya diya liye likho chahiye',
  ],
  [
    'tr',
    've bir bu için ne mi mı mu mü nasıl ile da de çok var yok olan gibi daha bana ama şu kaç ben hangi kadar neden misin değil her o',
  ],
  // Vietnamese typed without its marks.
  [
    'vi',
    'khong ko duoc cua nhung nguoi minh toi nay giup voi trong cho mot cac vay thi roi nhu nao tieng viet hoi bai cach gio bao nhieu dang truoc sau hay neu lam em anh ban la va gi',
  ],
  [
    'id',
    'yang ini itu untuk dengan tidak saya apa bagaimana dari adalah bisa tolong gimana dalam akan anda kamu atau yg utk dgn gak nggak juga sudah jadi buat kalau berapa bikin aku gue banget kok nih dong bukan biar kayak apakah siapa kapan kenapa mengapa jelaskan buatkan buatin jangan lebih saja bahwa oleh tersebut serta maka karena sebagai seperti punya orang hari lagi udah belum terus mau bantu tentang di ke dan ada',
  ],
  [
    'nl',
    'het een van ik niet voor zijn aan hoe wat heb ook maar bij uit naar nog wel mijn worden deze dit geen wordt kunnen kun moet waarom welke mij mag zo iets onze jullie hun zij hij haar hem ben bent waren werd hier daar toch graag alsjeblieft tekst zin zinnen vertaal schrijf geef jij jouw twee tussen tegen onder zonder omdat hebben krijg krijgen gaat gaan doen eens want onderstaande volgende mensen jaar de en op te dat',
  ],
];

/** Letters of the Latin alphabet that one of these languages has and most others lack. */
const letters: readonly (readonly [string, RegExp])[] = [
  ['de', /[ßä]/],
  ['fr', /[œùêîûë]/],
  ['es', /[ñ¿¡]/],
  ['it', /[ìò]/],
  ['pt', /[ãõ]/],
  ['pl', /[łąężśźćń]/],
  ['tr', /[ğışİ]/],
];

const tagsOf = new Map<string, number[]>();
for (const [number, [, words]] of common.entries()) {
  for (const word of new Set(`${words} ${foldLetters(words)}`.split(' '))) tagsOf.set(word, [...(tagsOf.get(word) ?? []), number]);
}

const tagNumber = new Map(common.map(([tag], number) => [tag, number]));

/** Words that a letter of one language is worth. */
const letterWorth = 3;

/** What a unit of the basic plane shows: a bit for each of `scripts`, then one for each of `letters`. Found once by unit and kept. */
const signs = new Int32Array(0x10000);
const found = 1 << 30;
const lettersFrom = scripts.length;

function signsOf(unit: number): number {
  const one = String.fromCharCode(unit);
  let bits = found;
  for (const [at, [, sign]] of [...scripts, ...letters].entries()) if (sign.test(one)) bits |= 1 << at;
  return (signs[unit] = bits);
}

/** The signs of all characters at the beginning of a text together; 0 if it is ASCII. */
function signsIn(text: string): number {
  let bits = 0;
  const end = Math.min(text.length, window);
  for (let at = 0; at < end; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    // Beyond the basic plane only Chinese characters matter: their first halves are these.
    bits |= unit >= 0xd840 && unit <= 0xd888 ? found | chinese : signs[unit]! || signsOf(unit);
  }
  return bits;
}

const chinese = 1 << scripts.findIndex(([tag]) => tag === 'zh');

/** Hits per language in the text that is read. */
const hits = new Uint8Array(common.length);

/** Tokens read: about as much text as the window. */
const mostTokens = 80;

/**
 * BCP-47 primary tag of a text's main language; `und` if it cannot be determined. `tokens`: the text's lower-case words, in order, with their
 * marks or without. `ascii`: whether the text is known to have no other character.
 */
export function languageOf(text: string, tokens: readonly string[], ascii = false): string {
  const bits = ascii ? 0 : signsIn(text);
  for (let at = 0; at < scripts.length; at++) if ((bits & (1 << at)) !== 0) return scripts[at]![0];
  hits.fill(0);
  for (let at = 0; at < letters.length; at++)
    if ((bits & (1 << (lettersFrom + at))) !== 0) hits[tagNumber.get(letters[at]![0])!]! += letterWorth;
  for (let i = 0; i < tokens.length && i < mostTokens; i++) {
    const tags = tagsOf.get(tokens[i]!);
    if (tags !== undefined) for (const number of tags) hits[number]!++;
  }
  let best = 'und';
  let most = 0;
  for (let number = 0; number < common.length; number++) {
    if (hits[number]! <= most) continue;
    best = common[number]![0];
    most = hits[number]!;
  }
  return best;
}
