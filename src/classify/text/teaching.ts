import type { ParsedRequest } from '../../apis/types.ts';
import type { Domain, Tier } from '../types.ts';
import type { PromptGrams } from './grams.ts';
import { head, levels, textFields, textTasks, type TextTask } from './heads.ts';
import type { TextModel } from './model.ts';

/** Labels that a policy gives prompts. */
export interface TaughtLabels {
  readonly task?: TextTask | undefined;
  readonly domain?: Domain | undefined;
  readonly tier?: Tier | undefined;
  /** 1 (everyday) to 5 (expert). */
  readonly level?: number | undefined;
}

export type LabelName = keyof TaughtLabels;

/** Something in the policy that gives the current prompt its labels. */
export interface Lesson {
  /** Its name among the verdict's signals: `example NAME`, `words NAME`, `template NAME`. */
  readonly signal: string;
  /** The signal's value: the similarity of an example, 0 to 1; how often a list's words occur; true for a template. */
  readonly value: number | true;
  /** How far the labels move the verdict, 0 to 1. */
  readonly strength: number;
  readonly labels: TaughtLabels;
}

/** The parts of a request that identify its template. */
export type TaughtRequest = Pick<ParsedRequest, 'system' | 'toolNames' | 'tools'>;

/** Lessons of one kind. */
export interface Lessons {
  /** Compares them with a prompt. Returns false if none applies; `lessonFor` then returns null. */
  compare(grams: PromptGrams, request: TaughtRequest): boolean;
  /** The strongest lesson that has a label; null if there is none. */
  lessonFor(label: LabelName): Lesson | null;
}

/** How far a taught output is raised above the others, in units of its head's temperature. */
const lead = 2;

const noRequest: TaughtRequest = { system: '', toolNames: [], tools: 0 };

/**
 * What a policy teaches the classifier. For each label the strongest lesson counts, the first kind if two are equally strong. Deterministic.
 * Results are valid until the next prompt is read.
 */
export class Teaching {
  readonly #model: TextModel;
  readonly #kinds: readonly Lessons[];
  readonly #applying: Lessons[] = [];
  readonly #moved: Lesson[] = [];
  #tier: Lesson | null = null;
  #request: TaughtRequest = noRequest;

  constructor(model: TextModel, kinds: readonly Lessons[]) {
    this.#model = model;
    this.#kinds = kinds;
  }

  /** The lessons that moved the last prompt, strongest first. */
  get moved(): readonly Lesson[] {
    return this.#moved;
  }

  /** The lesson that gives the last prompt its tier; null if there is none. */
  get tier(): Lesson | null {
    return this.#tier;
  }

  /** Must be called with a request before its prompt is read. */
  about(request: TaughtRequest): void {
    this.#request = request;
  }

  /** Moves the model's outputs for a prompt. */
  readonly nudge = (grams: PromptGrams, outputs: Float64Array): void => {
    this.#moved.length = this.#applying.length = 0;
    this.#tier = null;
    for (const kind of this.#kinds) if (kind.compare(grams, this.#request)) this.#applying.push(kind);
    if (this.#applying.length === 0) return;
    const { temperature, score } = this.#model.header;
    const task = this.#strongest('task');
    const domain = this.#strongest('domain');
    const level = this.#strongest('level');
    this.#tier = this.#strongest('tier');
    if (task !== null) teachTask(outputs, textTasks.indexOf(task.labels.task!), task.strength, temperature.task);
    if (domain !== null) teachDomain(outputs, textFields.indexOf(domain.labels.domain!), domain.strength, temperature.field);
    if (level !== null)
      outputs[head.level]! += level.strength * ((Math.min(levels, level.labels.level!) - score.mean) / score.slope - outputs[head.level]!);
    this.#moved.sort((a, b) => b.strength - a.strength || Number(b.value) - Number(a.value));
  };

  #strongest(label: LabelName): Lesson | null {
    let best: Lesson | null = null;
    for (const kind of this.#applying) {
      const lesson = kind.lessonFor(label);
      if (lesson !== null && (best === null || lesson.strength > best.strength)) best = lesson;
    }
    if (best !== null && !this.#moved.some(({ signal }) => signal === best.signal)) this.#moved.push(best);
    return best;
  }
}

/** Raises one task over the others. */
function teachTask(outputs: Float64Array, task: number, strength: number, temperature: number): void {
  let most = -Infinity;
  for (let k = 0; k < textTasks.length; k++) if (k !== task) most = Math.max(most, outputs[head.task + k]!);
  const at = head.task + task;
  outputs[at]! += strength * Math.max(0, most + lead * temperature - outputs[at]!);
}

/** Makes one domain likely and the others unlikely: each has its own probability. */
function teachDomain(outputs: Float64Array, domain: number, strength: number, temperature: number): void {
  for (let k = 0; k < textFields.length; k++) {
    const at = head.field + k;
    const aim = k === domain ? Math.max(outputs[at]!, lead * temperature) : Math.min(outputs[at]!, -lead * temperature);
    outputs[at]! += strength * (aim - outputs[at]!);
  }
}
