import { z } from 'zod';
import { policyText, type PolicyText } from './policy-text.ts';

const edit = z.object({
  /** Hash of the edited policy. */
  policy: z.string(),
  /** A later edit has a higher one. */
  number: z.int().min(1),
  stage: z.int().min(0).max(100),
  promoted: z.boolean(),
  /** The policy in force when it came; null if nobody knows it. */
  before: z.string().nullable(),
  /** Until when that one is kept, once the edit is promoted: milliseconds since the epoch. */
  beforeUntil: z.number().nullable(),
  /** The policy that was kept when it came. */
  kept: z.object({ policy: z.string(), until: z.number() }).nullable(),
});

const agreed = z.object({
  version: z.literal(1),
  edits: z.array(edit),
  rolledBack: z.array(z.string()),
  texts: z.record(z.string(), policyText),
});

/** An edit of the policy, and how far it has come. */
export type Edit = Readonly<z.infer<typeof edit>>;

/**
 * What replicas know of the newest edits of the policy. Two of them join into one that does not depend on who was first: a policy that was
 * rolled back stays so, one that was promoted beats one that is tried, a later stage an earlier one, and a later edit an earlier one.
 */
export interface Agreed {
  readonly version: 1;
  /** The newest first. */
  readonly edits: readonly Edit[];
  readonly rolledBack: readonly string[];
  /** The policies that the newest edit leads back to, by their hashes, as far as there is room for them. */
  readonly texts: Readonly<Record<string, PolicyText>>;
}

/** Most edits and rolled-back policies remembered. Only the newest edit counts; replicas that are late ask for those before it. */
const mostEdits = 4;
const mostRolledBack = 100;

export const nothingAgreed: Agreed = { version: 1, edits: [], rolledBack: [], texts: {} };

/** What was written as JSON. Throws for anything else. */
export function readAgreed(text: string): Agreed {
  return agreed.parse(JSON.parse(text));
}

/** What both know. Of `one` if the other adds nothing. */
export function joined(one: Agreed, other: Agreed): Agreed {
  const edits = new Map(one.edits.map((each) => [each.policy, each]));
  for (const each of other.edits) {
    const there = edits.get(each.policy);
    edits.set(each.policy, there === undefined ? each : joinedEdit(there, each));
  }
  const newest = [...edits.values()].sort((a, b) => b.number - a.number || compare(a.policy, b.policy)).slice(0, mostEdits);
  const { policy, before, kept } = newest[0] ?? { policy: null, before: null, kept: null };
  const used = new Set([policy, before, kept?.policy]);
  const texts = Object.entries({ ...other.texts, ...one.texts }).filter(([hash]) => used.has(hash));
  return {
    version: 1,
    edits: newest,
    rolledBack: [...new Set([...one.rolledBack, ...other.rolledBack])].slice(-mostRolledBack),
    texts: Object.fromEntries(texts.sort(([a], [b]) => compare(a, b))),
  };
}

/** Whether both know the same. A hash has one text. */
export function isSame(one: Agreed, other: Agreed): boolean {
  const plain = ({ edits, rolledBack, texts }: Agreed): string =>
    JSON.stringify([edits.map(plainEdit), rolledBack, Object.keys(texts).sort()]);
  return plain(one) === plain(other);
}

function plainEdit({ policy, number, stage, promoted, before, beforeUntil, kept }: Edit): unknown[] {
  return [policy, number, stage, promoted, before, beforeUntil, kept?.policy, kept?.until];
}

/** Where an edit leaves a replica. */
export interface Standing {
  /** Null if nobody knows it. */
  readonly stable: string | null;
  /** The stage of the edit that is tried; null if it is not. */
  readonly stage: number | null;
  readonly kept: { readonly policy: string; readonly until: number } | null;
}

/** Which policies are in force, tried and kept after an edit. Of those before it, the newest one counts that was not rolled back. */
export function standingOf({ policy, stage, promoted, before, beforeUntil, kept }: Edit, rolledBack: ReadonlySet<string>): Standing {
  const isGood = !rolledBack.has(policy);
  const earlier = [
    ...(before === null ? [] : [{ policy: before, until: beforeUntil }]),
    // Once the edit is promoted only the one before it is kept.
    ...(kept === null || (isGood && promoted) ? [] : [kept]),
  ].filter((one) => !rolledBack.has(one.policy) && one.policy !== policy);
  if (isGood && promoted) return { stable: policy, stage: null, kept: lasting(earlier[0]) };
  const [first, second] = earlier;
  // With nothing else that is good, what was in force stays.
  return { stable: first?.policy ?? before, stage: isGood ? stage : null, kept: lasting(second) };
}

function lasting(one: { readonly policy: string; readonly until: number | null } | undefined): Standing['kept'] {
  return one === undefined || one.until === null ? null : { policy: one.policy, until: one.until };
}

function joinedEdit(one: Edit, other: Edit): Edit {
  // The same policy again, after others.
  if (one.number !== other.number) return one.number > other.number ? one : other;
  return {
    policy: one.policy,
    number: one.number,
    stage: Math.max(one.stage, other.stage),
    promoted: one.promoted || other.promoted,
    before: most(one.before, other.before, compare),
    beforeUntil: most(one.beforeUntil, other.beforeUntil, (a, b) => a - b),
    kept: most(one.kept, other.kept, (a, b) => a.until - b.until || compare(a.policy, b.policy)),
  };
}

/** The larger of two; what is known is larger than what is not. */
function most<T>(one: T | null, other: T | null, order: (a: T, b: T) => number): T | null {
  if (one === null || other === null) return one ?? other;
  return order(one, other) >= 0 ? one : other;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
