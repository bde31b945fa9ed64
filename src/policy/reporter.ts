import type { PolicySource } from './source-map.ts';
import type { Problem, ProblemLevel } from './types.ts';

/** Where a setting is written: its path in the file, for the problem's line. */
export interface Place {
  readonly source: PolicySource;
  readonly base: readonly PropertyKey[];
}

/** Collects problems. A section is compiled once per provider; each problem is reported only once. */
export class Reporter {
  readonly #problems: Problem[];
  readonly #said = new Set<string>();

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  say(level: ProblemLevel, code: string, place: Place, path: readonly PropertyKey[], message: string, fix: string): void {
    this.#add(place.source.problem(level, code, [...place.base, ...path], message, fix));
  }

  /** Like `say`, at a character of the text at that place. */
  sayInside(
    level: ProblemLevel,
    code: string,
    place: Place,
    path: readonly PropertyKey[],
    character: number,
    message: string,
    fix: string,
  ): void {
    this.#add(place.source.problem(level, code, [...place.base, ...path], message, fix, character));
  }

  /** Adds a problem of a file that is no policy text. */
  add(problem: Problem): void {
    this.#add(problem, problem.line);
  }

  #add(problem: Problem, line: number | null = null): void {
    const { code, message } = problem;
    const key = `${code}\n${problem.file}\n${problem.path}\n${message}\n${line ?? ''}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#problems.push(problem);
  }
}
