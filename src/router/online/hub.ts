import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { SluiceError } from '../../lib/errors.ts';
import { limits } from '../../lib/limits.ts';
import type { OnlineLearner } from './learner.ts';
import { stateSchema, type LearningState } from './state.ts';

const pair = z.strictObject({ weak: z.string(), strong: z.string() });
const gradeSchema = z.object({
  decisionId: z.string(),
  workspace: z.string(),
  mark: z.object({
    template: z.string(),
    near: z.string(),
    pair: pair.nullable(),
    gain: z.number().nullable(),
    uncertainty: z.number().nullable(),
    expected: z.number().nullable(),
    spread: z.number().nullable(),
    threshold: z.number().nullable(),
    says: z.enum(['weak', 'strong']).nullable(),
    kind: z.string().max(64).optional(),
    models: z
      .object({
        requested: z.string(),
        known: z.boolean(),
        candidates: z
          .array(z.object({ model: z.string(), gain: z.number(), error: z.number(), measured: z.boolean() }).readonly())
          .max(64)
          .readonly(),
      })
      .optional(),
    worth: z.number().optional(),
    why: z.enum(['upgrade', 'probe', 'grades', 'prior']),
  }),
  model: z.string(),
  requested: z.string(),
  score: z.number().min(0).max(1),
  against: z.number().min(0).max(1).nullable().optional(),
  source: z.string(),
  weight: z.number().min(0).max(1),
  time: z.number(),
});

/** What changes what was learnt. Replicas that see the same events in the same order have learnt the same. */
export const eventSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('grade'),
    grade: gradeSchema,
    settings: z.object({ upgradeBelow: z.number(), upgradeMs: z.number(), upgradeScope: z.enum(['similar', 'template', 'none']) }),
  }),
  z.object({ kind: z.literal('freeze'), frozen: z.boolean() }),
  z.object({ kind: z.literal('reset'), workspace: z.string().nullable() }),
]);

export type LearningEvent = z.infer<typeof eventSchema>;

/** Where replicas share events. */
export interface EventStream {
  /** False when it could not be shared. */
  add(event: LearningEvent): Promise<boolean>;
  /** Gives every event after `cursor` (`0`: the first that is kept), again and again, with its place. */
  follow(cursor: string, take: (event: LearningEvent, cursor: string) => void): void;
  close(): void;
}

export interface HubOptions {
  readonly learner: OnlineLearner;
  /** Where what was learnt outlives the process; null: nowhere. */
  readonly file: string | null;
  /** Null: this process learns for itself. */
  readonly stream: EventStream | null;
  readonly onError: (error: unknown, what: string) => void;
  /** Between two looks at whether there is something to write, in ms. */
  readonly saveMs?: number;
}

const fileSchema = z.strictObject({ cursor: z.string(), state: stateSchema });

/**
 * A file of the format before this one. Its sums say too little to go on from: upgrades are kept, beliefs begin again, from all grades that the shared stream still
 * has.
 */
const earlierSchema = z.object({ state: stateSchema.extend({ format: z.literal(1), pairs: z.array(z.unknown()) }) });

/** Brings events to the learner, alone or with other replicas, and keeps what was learnt in a file. */
export class LearningHub {
  readonly #options: HubOptions;
  readonly #timer: NodeJS.Timeout | null;
  #cursor = '0';
  #changed = false;
  #saving: Promise<void> = Promise.resolve();

  /** `cursor`: the last event that the learner has seen. */
  private constructor(options: HubOptions, cursor: string) {
    this.#options = options;
    this.#cursor = cursor;
    options.stream?.follow(cursor, (event, at) => {
      this.#cursor = at;
      this.#apply(event);
    });
    this.#timer = options.file === null ? null : setInterval(() => this.#saveIfChanged(), options.saveMs ?? 10_000).unref();
  }

  /** Takes up what the file holds. Throws SLUICE_LEARNING_STATE for one that is damaged: it is not thrown away unasked. */
  static async open(options: HubOptions): Promise<LearningHub> {
    const kept = options.file === null ? null : await readState(options.file);
    if (kept !== null) options.learner.restore(kept.state);
    return new LearningHub(options, kept?.cursor ?? '0');
  }

  /** Never throws. What cannot be shared is learnt here alone. */
  publish(event: LearningEvent): void {
    const { stream } = this.#options;
    if (stream === null) this.#apply(event);
    else
      void stream.add(event).then((shared) => {
        if (!shared) this.#apply(event);
      });
  }

  /** All that was learnt. */
  state(now: number): LearningState {
    return this.#options.learner.state(now);
  }

  /** Writes what is unwritten, and stops. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#options.stream?.close();
    this.#saveIfChanged();
    await this.#saving;
  }

  #apply(event: LearningEvent): void {
    const { learner } = this.#options;
    this.#changed = true;
    if (event.kind === 'grade') learner.observe(event.grade, event.settings);
    else if (event.kind === 'freeze') learner.freeze(event.frozen);
    else learner.reset(event.workspace);
  }

  #saveIfChanged(): void {
    const { file, learner, onError } = this.#options;
    if (file === null || !this.#changed) return;
    this.#changed = false;
    const text = JSON.stringify({ cursor: this.#cursor, state: learner.state(Date.now()) });
    const next = `${file}.${process.pid}.tmp`;
    this.#saving = this.#saving.then(async () => {
      try {
        await writeFile(next, text, { mode: 0o600 });
        await rename(next, file);
      } catch (error) {
        this.#changed = true;
        onError(error, 'what was learnt could not be written');
      }
    });
  }
}

async function readState(file: string): Promise<{ readonly cursor: string; readonly state: LearningState } | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SluiceError('SLUICE_FILE_UNREADABLE', error instanceof Error ? error.message : String(error), { where: file, cause: error });
  }
  if (text.length > limits.learningStateUnits)
    throw new SluiceError('SLUICE_LEARNING_STATE', 'The file is larger than any that Sluice writes.', { where: file });
  try {
    const json: unknown = JSON.parse(text);
    const earlier = earlierSchema.safeParse(json);
    return earlier.success ? { cursor: '0', state: { ...earlier.data.state, format: 2, grades: 0, pairs: [] } } : fileSchema.parse(json);
  } catch (error) {
    throw new SluiceError('SLUICE_LEARNING_STATE', 'The file holds no state of learning of this version.', { where: file, cause: error });
  }
}
