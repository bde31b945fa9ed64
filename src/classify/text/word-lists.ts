import { Lexicon } from '../lexicon.ts';
import type { PromptGrams } from './grams.ts';
import { foldLetters } from './letters.ts';
import { isUnspaced, zone } from './scan.ts';
import type { LabelName, Lesson, Lessons, TaughtLabels } from './teaching.ts';

/** Words of a team, and the labels of questions that contain one of them. */
export interface WordList extends TaughtLabels {
  readonly name: string;
  /** Words and phrases; a trailing `*` matches any ending. */
  readonly words: readonly string[];
}

/** Whether a word is of a script that writes no spaces between words (Chinese, Japanese, Korean): it is found anywhere in a text. */
export function isRun(word: string): boolean {
  for (let at = 0; at < word.length; at++) if (isUnspaced(word.charCodeAt(at))) return true;
  return false;
}

/** A team's lists of words. Only whole words of the question count, never the material around it. Linear in the question. */
export class WordLists implements Lessons {
  readonly #lists: readonly WordList[];
  readonly #lexicon: Lexicon;
  readonly #hits: Uint8Array;
  readonly #ask: string[] = [];

  constructor(lists: readonly WordList[]) {
    this.#lists = lists;
    this.#hits = new Uint8Array(lists.length);
    this.#lexicon = new Lexicon(
      lists.map(({ name, words }) => {
        const lower = words.map((word) => foldLetters(word.toLowerCase()));
        return { name, words: lower.filter((word) => !isRun(word)), unspaced: lower.filter(isRun) };
      }),
    );
  }

  compare({ text }: PromptGrams): boolean {
    const hits = this.#hits.fill(0);
    const { words, zones, unspaced } = text;
    let count = 0;
    for (let at = 0; at < words.length; at++) {
      if (zones[at] !== zone.ask) continue;
      this.#ask[count++] = words[at]!;
      if (unspaced[at] === 1) this.#lexicon.countUnspaced(words[at]!, hits);
    }
    this.#lexicon.countTokens(this.#ask, hits, count);
    return hits.some((hit) => hit > 0);
  }

  /** The first list with the label that has a word in the question. */
  lessonFor(label: LabelName): Lesson | null {
    for (const [at, list] of this.#lists.entries())
      if (this.#hits[at]! > 0 && list[label] !== undefined)
        return { signal: `words ${list.name}`, value: this.#hits[at]!, strength: 1, labels: list };
    return null;
  }
}
