import { askedModel, refusedIn } from '../common/parameters.ts';
import type { AskedModel, ParameterTable } from '../common/parameter-types.ts';
import type { ParsedRequest, ParameterValue } from '../types.ts';
import { efforts, type Shape, type ShapeChange, type ShapeLeft, type ShapePart } from './types.ts';

/** A model that may get the request untranslated. */
export interface ShapeTarget {
  /** The catalog's names. */
  readonly provider: string;
  readonly model: string;
}

/** A request while its shape is planned. */
export class Asked {
  readonly exchange: ParsedRequest;
  readonly shape: Shape;
  /** The models that may get it untranslated, first choice first. */
  readonly models: readonly AskedModel[];
  /** Another target may get it translated: nothing is added that the translation might not support. */
  readonly translated: boolean;
  readonly changes: ShapeChange[] = [];
  readonly left: { readonly part: ShapePart; readonly why: ShapeLeft }[] = [];
  readonly #table: ParameterTable;

  constructor(exchange: ParsedRequest, shape: Shape, targets: readonly ShapeTarget[], translated: boolean, table: ParameterTable) {
    this.exchange = exchange;
    this.shape = shape;
    this.models = targets.map(({ provider, model }) => askedModel(provider, model));
    this.translated = translated;
    this.#table = table;
  }

  /** The app's value; undefined if it sets none. */
  said(name: string): ParameterValue | undefined {
    return this.exchange.parameters.findLast((parameter) => parameter.name === name)?.value;
  }

  leave(part: ShapePart, why: ShapeLeft): void {
    this.left.push({ part, why });
  }

  change(part: ShapePart, path: string, to: string | number, from: ParameterValue = null): void {
    this.changes.push({ part, path, from, to });
  }

  /** Whether this parameter makes no model refuse the request that accepted it before. */
  taken(name: string, value: string | number): boolean {
    const { parameters, limitKey } = this.exchange;
    const changed = { limitKey, parameters: [...parameters.filter((parameter) => parameter.name !== name), { name, value }] };
    return this.models.every((model) => {
      const refused = refusedIn(this.#table, changed, model, null);
      return refused === null || refused === refusedIn(this.#table, { limitKey, parameters }, model, null);
    });
  }

  /**
   * The highest effort up to the cap that the models accept; otherwise the lowest above the cap that is still below `from`. Null if there
   * is none.
   */
  effort(name: string, from: string, levels: readonly string[] = efforts): string | null {
    const rank = (level: string): number => efforts.findIndex((effort) => effort === level);
    const most = rank(this.shape.reasoning ?? 'max');
    const below = levels.filter((level) => rank(level) < rank(from));
    const order = [...below.filter((level) => rank(level) <= most).reverse(), ...below.filter((level) => rank(level) > most)];
    return order.find((level) => this.taken(name, level)) ?? null;
  }

  /** Whether an effort is above the cap. An unknown effort is left unchanged. */
  above(effort: string): boolean {
    const rank = (level: string): number => efforts.findIndex((known) => known === level);
    return this.shape.reasoning !== null && rank(effort) > rank(this.shape.reasoning);
  }
}
