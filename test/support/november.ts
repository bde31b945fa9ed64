/** Loaded before a program (`--import`): its clock begins on 5 November 2026, when that October is over, whatever the machine's says. */
const Real = Date;
const shift = Real.UTC(2026, 10, 5, 12) - Real.now();

globalThis.Date = class extends Real {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [Real.now() + shift] : given) as [number]));
  }

  static override now(): number {
    return Real.now() + shift;
  }
} as DateConstructor;
