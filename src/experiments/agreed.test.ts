import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalog, compiled } from '../../test/support/policy.ts';
import { runs } from '../../test/support/fuzz.ts';
import type { LivePolicyStore, PolicySnapshot } from '../policy/types.ts';
import { isSame, joined, nothingAgreed, readAgreed, standingOf, type Agreed, type Edit } from './agreed.ts';
import type { SharedRollouts } from './agreement.ts';
import { RolloutPolicies } from './policies.ts';

const hashes = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const edits: fc.Arbitrary<Edit> = fc.record({
  policy: hashes,
  number: fc.integer({ min: 1, max: 4 }),
  stage: fc.integer({ min: 0, max: 3 }),
  promoted: fc.boolean(),
  before: fc.option(hashes),
  beforeUntil: fc.option(fc.integer({ min: 1, max: 3 })),
  kept: fc.option(fc.record({ policy: hashes, until: fc.integer({ min: 1, max: 3 }) })),
});
const states: fc.Arbitrary<Agreed> = fc.record({
  version: fc.constant(1 as const),
  edits: fc.uniqueArray(edits, { maxLength: 3, selector: ({ policy }) => policy }),
  rolledBack: fc.uniqueArray(hashes, { maxLength: 3 }),
  texts: fc.constant({}),
});
/** The same in whatever order policies were rolled back. */
const sorted = (state: Agreed): Agreed => ({ ...state, rolledBack: [...state.rolledBack].sort() });
const all = (...[first, ...others]: readonly [Agreed, ...Agreed[]]): Agreed => others.reduce(joined, joined(first, nothingAgreed));

describe('what replicas agree on', () => {
  it('is the same in whatever order they write, and however often', () => {
    fc.assert(
      fc.property(states, states, states, (a, b, c) => {
        const one = all(a, b, c);
        for (const other of [all(c, b, a), all(b, a, c), all(a, joined(b, c)), all(a, b, c, a, b)])
          expect(isSame(sorted(other), sorted(one))).toBe(true);
        expect(isSame(joined(one, a), one)).toBe(true);
        expect(readAgreed(JSON.stringify(one))).toEqual(one);
      }),
      runs(500),
    );
  });

  const edit = { policy: 'new', number: 2, stage: 0, promoted: false, before: 'old', beforeUntil: null, kept: null };
  const knows = (more: Partial<Edit>, rolledBack: readonly string[] = []): Agreed => ({
    ...nothingAgreed,
    edits: [{ ...edit, ...more }],
    rolledBack,
  });
  const standing = (...known: readonly [Agreed, ...Agreed[]]): unknown => {
    const {
      edits: [last],
      rolledBack,
    } = all(...known);
    const { stable, stage } = standingOf(last!, new Set(rolledBack));
    return [stable, stage];
  };

  it('is a rollback before a promotion, a promotion before a stage, and a later stage before an earlier one', () => {
    expect(standing(knows({ stage: 2 }), knows({ stage: 1 }))).toEqual(['old', 2]);
    expect(standing(knows({ promoted: true, beforeUntil: 9 }), knows({ stage: 1 }))).toEqual(['new', null]);
    expect(standing(knows({ promoted: true, beforeUntil: 9 }), knows({}, ['new']))).toEqual(['old', null]);
    // What was in force before it was taken back, too.
    expect(standing(knows({ kept: { policy: 'oldest', until: 9 } }, ['new', 'old']))).toEqual(['oldest', null]);
    expect(standing(knows({ stage: 2 }, ['new']), knows({ policy: 'newer', number: 3 }))).toEqual(['old', 0]);
  });
});

const policyOf = (number: number): string =>
  `version: 1\nrollout: { stages: [10%, 50%], requests: 1, minutes: 0 }\ndefaults: { tiers: [simple], candidates: { simple: [gpt-small] }, thresholds: { simple: { score: 0.${number + 1}, tokens: 100 }, standard: { score: 0.99, tokens: 1000 } } }\n`;
const policies = Array.from({ length: 6 }, (_, number) => compiled(policyOf(number)));

/** What all replicas read and write, as long as they reach it. */
class Board {
  agreed: Agreed = nothingAgreed;
}

class OwnBoard implements SharedRollouts {
  agreed: Agreed | null;
  readonly #board: Board;
  #own: Agreed | null = null;
  #listener: () => void = () => undefined;

  constructor(board: Board, reaches: boolean) {
    this.#board = board;
    this.agreed = reaches ? board.agreed : null;
  }

  join(own: Agreed): void {
    this.#own = own;
  }

  onChange(listener: () => void): () => void {
    this.#listener = listener;
    return () => undefined;
  }

  sync(): void {
    const board = this.#board;
    if (this.#own !== null) board.agreed = joined(board.agreed, this.#own);
    const isNew = this.agreed === null || !isSame(this.agreed, board.agreed);
    this.agreed = board.agreed;
    if (isNew) this.#listener();
  }
}

/** A replica without files, whose source brings edits when it is told to. */
class Replica {
  #newest: PolicySnapshot;
  #listener: (generation: PolicySnapshot) => void = () => undefined;
  readonly shared: OwnBoard;
  readonly policies: RolloutPolicies;
  at: number;

  constructor(board: Board, reaches: boolean, log: readonly PolicySnapshot[]) {
    this.at = log.length - 1;
    this.#newest = log[this.at]!;
    this.shared = new OwnBoard(board, reaches);
    const source: LivePolicyStore = {
      current: () => this.#newest,
      lastRefusal: () => null,
      onChange: (listener) => {
        this.#listener = listener;
        return () => undefined;
      },
      onRefusal: () => () => undefined,
      close: () => Promise.resolve(),
      sources: () => [],
      setCatalog: () => undefined,
    };
    this.policies = new RolloutPolicies({
      source,
      catalog,
      file: null,
      shared: this.shared,
      onRuleError: () => undefined,
      onChange: () => undefined,
      onError: (error) => expect(error).toBeNull(),
    });
  }

  /** Takes an edit of the log, without those between: the newest one if none is named. */
  catchUp(log: readonly PolicySnapshot[], to = log.length - 1): void {
    if (this.at === to) return;
    this.at = to;
    this.#newest = log[to]!;
    this.#listener(this.#newest);
  }

  get place(): unknown {
    const { stable, candidate } = this.policies.rollout.status();
    return { stable, candidate: candidate === null ? null : [candidate.policy, candidate.stage] };
  }
}

describe('replicas that come and go', () => {
  const replica = fc.integer({ min: 0, max: 2 });
  const steps = fc.oneof(
    { weight: 2, arbitrary: fc.record({ do: fc.constant('edit' as const), on: fc.integer({ min: 0, max: policies.length - 1 }) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('sync' as const, 'catch up' as const), on: replica }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('roll back' as const, 'promote' as const, 'advance' as const, 'restart' as const, 'start blind' as const),
        on: replica,
      }),
    },
  );

  const started = (): { readonly board: Board; readonly log: PolicySnapshot[]; readonly first: Replica; readonly second: Replica } => {
    const board = new Board();
    const log = [policies[0]!];
    return { board, log, first: new Replica(board, true, log), second: new Replica(board, true, log) };
  };

  it('are not led back by one that sees an old policy late', () => {
    const { board, log, first, second } = started();
    for (const next of [1, 2]) {
      log.push(policies[next]!);
      first.catchUp(log);
      first.shared.sync();
    }
    first.policies.rollout.follow(policies[2]!.hash, 1);
    first.shared.sync();
    second.catchUp(log, 1);
    second.shared.sync();
    // One that starts now is where the first is.
    const third = new Replica(board, true, log);
    expect(third.place).toEqual({ stable: policies[0]!.hash, candidate: [policies[2]!.hash, 2] });
    second.catchUp(log);
    for (const each of [second, third, first]) each.shared.sync();
    expect([first.place, second.place]).toEqual([third.place, third.place]);
  });

  it('take a policy that came again as a new edit', () => {
    const { board, log, first, second } = started();
    for (const next of [1, 2, 1]) {
      log.push(policies[next]!);
      first.catchUp(log);
      first.policies.rollout.follow(policies[1]!.hash, 1);
      if (log.length < 4) first.policies.rollout.promote();
      first.shared.sync();
    }
    second.catchUp(log);
    second.shared.sync();
    const place = { stable: policies[2]!.hash, candidate: [policies[1]!.hash, 2] };
    expect([first.place, second.place, new Replica(board, true, log).place]).toEqual([place, place, place]);
  });

  it('end where the others are, whatever they did at the same time', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 30 }), (said) => {
        const board = new Board();
        const log = [policies[0]!];
        const replicas = Array.from({ length: 3 }, () => new Replica(board, true, log));
        for (const { do: what, on } of said) {
          const one = replicas[on % 3]!;
          const { rollout } = one.policies;
          if (what === 'edit') log.push(policies[on]!);
          else if (what === 'sync') one.shared.sync();
          else if (what === 'catch up') one.catchUp(log);
          else if (what === 'roll back') rollout.rollback('asked');
          else if (what === 'promote') rollout.promote();
          else if (what === 'advance') rollout.follow(rollout.candidate?.hash ?? '', 1);
          else replicas[on % 3] = new Replica(board, what === 'restart', log);
        }
        for (const each of replicas) each.catchUp(log);
        for (let round = 0; round < 4; round++) for (const each of replicas) each.shared.sync();
        replicas.push(new Replica(board, true, log));
        expect(replicas.map(({ place }) => place)).toEqual(replicas.map(() => replicas[0]!.place));
        // Who was rolled back is tried nowhere.
        for (const { policies: own } of replicas) {
          const { candidate, rolledBack } = own.rollout.status();
          expect(rolledBack).toEqual(expect.arrayContaining([...board.agreed.rolledBack]));
          expect(rolledBack).not.toContain(candidate?.policy);
        }
      }),
      runs(300),
    );
  });
});
