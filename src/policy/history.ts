import { createTwoFilesPatch } from 'diff';
import { limits } from '../lib/limits.ts';
import type { PolicyFile, PolicySnapshot } from './types.ts';

export interface GenerationEntry {
  readonly number: number;
  readonly hash: string;
  readonly resourceVersion: string | null;
  /** ISO 8601. */
  readonly loadedAt: string;
  readonly catalog: string;
  /**
   * A unified diff for each file that changed since the previous generation; empty if only the price catalog changed; null for the first
   * that is kept.
   */
  readonly diffs: readonly { readonly file: string; readonly patch: string }[] | null;
}

/** The last policy generations of this process, to show what changed. */
export class PolicyHistory {
  readonly #kept: PolicySnapshot[] = [];

  add(generation: PolicySnapshot): void {
    // A generation that stays active beside a rollout is published again.
    if (generation === this.#kept.at(-1)) return;
    this.#kept.push(generation);
    if (this.#kept.length > limits.policyHistory) this.#kept.shift();
  }

  /** Newest first. */
  list(): GenerationEntry[] {
    return this.#kept
      .map((generation, index): GenerationEntry => {
        const before = this.#kept[index - 1];
        return {
          number: generation.number,
          hash: generation.hash,
          resourceVersion: generation.resourceVersion,
          loadedAt: new Date(generation.loadedAt).toISOString(),
          catalog: generation.catalog.version,
          diffs: before === undefined ? null : changes(before.files, generation.files),
        };
      })
      .reverse();
  }
}

function changes(before: readonly PolicyFile[], after: readonly PolicyFile[]): { file: string; patch: string }[] {
  const textOf = (files: readonly PolicyFile[], name: string): string => files.find((file) => file.name === name)?.text ?? '';
  const names = new Set([...before, ...after].map(({ name }) => name));
  return [...names]
    .filter((name) => textOf(before, name) !== textOf(after, name))
    .map((name) => ({
      file: name,
      patch: createTwoFilesPatch(name, name, textOf(before, name), textOf(after, name), undefined, undefined, { context: 3 }),
    }));
}
