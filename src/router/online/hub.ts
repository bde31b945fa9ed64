import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { SluiceError } from '../../lib/errors.ts';
import { readTextLater } from '../../lib/read-file.ts';
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
    index: z.number().optional(),
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

/** Events that change the learnt state. Replicas that see the same events in the same order reach the same state. */
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

/** The stream through which replicas share events. */
export interface EventStream {
  /** Resolves to false if the event could not be shared. */
  add(event: LearningEvent): Promise<boolean>;
  /** Calls `take` with every event after `cursor` (`0`: the first one kept) and its position, continuously. */
  follow(cursor: string, take: (event: LearningEvent, cursor: string) => void): void;
  close(): void;
}

export interface HubOptions {
  readonly learner: OnlineLearner;
  /** File that keeps the learnt state across restarts; null to keep it in memory only. */
  readonly file: string | null;
  /** Null if this process learns on its own. */
  readonly stream: EventStream | null;
  readonly onError: (error: unknown, what: string) => void;
  /** Interval of the check for unwritten changes, in ms. */
  readonly saveMs?: number;
}

const fileSchema = z.strictObject({ cursor: z.string(), state: stateSchema });

/**
 * A file of the previous format. Its sums are not sufficient to continue from: upgrades are kept, and beliefs restart from all grades that
 * the shared stream still has.
 */
const earlierSchema = z.object({ state: stateSchema.extend({ format: z.literal(1), pairs: z.array(z.unknown()) }) });

/** Delivers events to the learner, alone or with other replicas, and keeps the learnt state in a file. */
export class LearningHub {
  readonly #options: HubOptions;
  readonly #timer: NodeJS.Timeout | null;
  #cursor = '0';
  #changed = false;
  #saving: Promise<void> = Promise.resolve();

  /** `cursor`: the last event that the learner has processed. */
  private constructor(options: HubOptions, cursor: string) {
    this.#options = options;
    this.#cursor = cursor;
    options.stream?.follow(cursor, (event, at) => {
      this.#cursor = at;
      this.#apply(event);
    });
    this.#timer = options.file === null ? null : setInterval(() => this.#saveIfChanged(), options.saveMs ?? 10_000).unref();
  }

  /** Loads the state from the file. Throws SLUICE_LEARNING_STATE if it is damaged, so that it is never discarded silently. */
  static async open(options: HubOptions): Promise<LearningHub> {
    const kept = options.file === null ? null : await readState(options.file);
    if (kept !== null) options.learner.restore(kept.state);
    return new LearningHub(options, kept?.cursor ?? '0');
  }

  /** Never throws. An event that cannot be shared is learnt by this process alone. */
  publish(event: LearningEvent): void {
    const { stream } = this.#options;
    if (stream === null) this.#apply(event);
    else
      void stream.add(event).then((shared) => {
        if (!shared) this.#apply(event);
      });
  }

  /** The complete learnt state. */
  state(now: number): LearningState {
    return this.#options.learner.state(now);
  }

  /** Writes unsaved changes and stops. */
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
  if (!existsSync(file)) return null;
  const text = await readTextLater(file);
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
