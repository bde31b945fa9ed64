import type { CompileResult } from '../policy/compile.ts';
import { isExampleFile } from '../policy/example-file.ts';
import { whenThere, type Soon } from '../policy/compiler.ts';
import { notDelegated, type Trusted } from '../policy/delegations.ts';
import { plainProblem } from '../policy/load.ts';
import type { PolicyFile, PolicySnapshot, PolicySourceState, Problem } from '../policy/types.ts';

/** The parts of a labelled ConfigMap that a policy uses. */
export interface PolicyConfigMap {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** Keys ending with .yaml, .yml or .jsonl. */
  readonly data: Readonly<Record<string, string>>;
}

export interface ComposeOptions {
  /** All ConfigMaps, in any order. */
  readonly configMaps: readonly PolicyConfigMap[];
  /** Namespaces in order of precedence; others come after them. */
  readonly namespaces: readonly string[];
  /** Namespaces with precedence over all others. Absent if there are none. */
  readonly trusted?: Trusted;
  /** The version of each ConfigMap currently in force, by `configMapId`. */
  readonly inForce: ReadonlyMap<string, PolicyConfigMap>;
  /** Most source bytes of one policy. */
  readonly maxBytes: number;
  /** Compiles files in the given order. */
  readonly compile: (files: readonly PolicyFile[]) => Soon<CompileResult>;
}

export interface Composed {
  /** Null if the current policy must stay, because another ConfigMap's edit would drop a ConfigMap from it. */
  readonly generation: PolicySnapshot | null;
  /** The versions that the generation is composed of, by `configMapId`. */
  readonly inForce: ReadonlyMap<string, PolicyConfigMap>;
  readonly sources: readonly (PolicySourceState & { readonly configMap: PolicyConfigMap })[];
}

/** `namespace/name`. */
export function configMapId({ namespace, name }: Pick<PolicyConfigMap, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** Problem codes of a ConfigMap that conflicts with an earlier one. */
export const conflictCodes: ReadonlySet<string> = new Set(['twice', 'unreachable']);

/** With these problems a ConfigMap is left out, without blocking the edits of others. */
const yieldingCodes: ReadonlySet<string> = new Set([...conflictCodes, notDelegated]);

/** The keys of a ConfigMap that are policy files, and files of examples. */
export function policyKeys(data: Readonly<Record<string, string>> | null | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([key]) => /\.(?:ya?ml|jsonl)$/.test(key)));
}

interface Step {
  readonly configMap: PolicyConfigMap;
  use: PolicyConfigMap | null;
  problems: readonly Problem[];
}

/**
 * Composes one policy from many ConfigMaps. Order of precedence: the namespaces as listed, then the oldest ConfigMap, then its name. A
 * ConfigMap with an error, or with a duplicate of an earlier one's definition, is replaced by its version in force, or left out if it has
 * none; the others are used regardless.
 */
export function compose(options: ComposeOptions): Soon<Composed> {
  const steps: Step[] = inOrder(options).map((configMap) => ({ configMap, use: configMap, problems: [] }));
  boundBytes(steps, options.maxBytes);
  return settle(steps, options);
}

/** Compiles the steps, and again with fewer or older ones until they fit together. */
function settle(steps: readonly Step[], options: ComposeOptions): Soon<Composed> {
  return whenThere(options.compile(filesOf(steps)), ({ generation, problems }) => {
    if (generation !== null) return result(generation, steps, problems);
    return yieldTo(problems, steps, options.inForce) ? settle(steps, options) : result(null, steps, problems);
  });
}

/** Replaces the ConfigMaps with errors by their versions in force, or leaves them out. False if the policy in force must stay. */
function yieldTo(problems: readonly Problem[], steps: readonly Step[], inForce: ComposeOptions['inForce']): boolean {
  const errors = problems.filter(({ level }) => level === 'error');
  const blamed = steps.filter((step) => step.use !== null && errors.some((problem) => owns(step, problem)));
  let lost = false;
  for (const step of blamed) {
    const own = errors.filter((problem) => owns(step, problem));
    // Report the problems of the new version to its author, not those of falling back.
    if (step.problems.length === 0) step.problems = own;
    const good = inForce.get(configMapId(step.configMap));
    if (good !== undefined && step.use !== null && !sameText(good, step.use)) step.use = good;
    else if (good !== undefined && !own.some(({ code }) => yieldingCodes.has(code))) lost = true;
    else step.use = null;
  }
  return blamed.length > 0 && !lost;
}

function inOrder({ configMaps, namespaces, trusted }: ComposeOptions): PolicyConfigMap[] {
  const rank = (namespace: string): number => {
    const index = namespaces.indexOf(namespace);
    // Names that a team used first must not keep a trusted namespace's policy out.
    return (index === -1 ? namespaces.length : index) + (trusted?.(namespace) === false ? namespaces.length + 1 : 0);
  };
  return [...configMaps].sort(
    (a, b) => rank(a.namespace) - rank(b.namespace) || a.created - b.created || compareText(configMapId(a), configMapId(b)),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Keeps the first ConfigMaps up to the bound; the others are left out with a problem. */
function boundBytes(steps: readonly Step[], maxBytes: number): void {
  let total = 0;
  for (const step of steps) {
    const bytes = Object.values(step.configMap.data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    if (total + bytes <= maxBytes) {
      total += bytes;
      continue;
    }
    step.use = null;
    step.problems = [
      plainProblem(
        configMapId(step.configMap),
        'too-large',
        `all policies together have more than ${maxBytes} bytes`,
        'Shorten this one or those before it.',
      ),
    ];
  }
}

function filesOf(steps: readonly Step[]): PolicyFile[] {
  return steps.flatMap(({ use }) => {
    if (use === null) return [];
    const keys = Object.keys(use.data).sort(compareText);
    // Compiled as an empty file, so that a missing policy is reported like any other problem.
    const empty = keys.some((key) => !isExampleFile({ name: key }))
      ? []
      : [{ name: `${configMapId(use)}#policy.yaml`, text: '', namespace: use.namespace }];
    return [...empty, ...keys.map((key) => ({ name: `${configMapId(use)}#${key}`, text: use.data[key] ?? '', namespace: use.namespace }))];
  });
}

function owns(step: Step, problem: Problem): boolean {
  return problem.file.startsWith(`${configMapId(step.configMap)}#`);
}

function sameText(a: PolicyConfigMap, b: PolicyConfigMap): boolean {
  const text = ({ data }: PolicyConfigMap): string => JSON.stringify(Object.entries(data).sort(([x], [y]) => compareText(x, y)));
  return text(a) === text(b);
}

function result(generation: PolicySnapshot | null, steps: readonly Step[], problems: readonly Problem[]): Composed {
  return {
    generation,
    inForce: new Map(steps.flatMap(({ use }) => (use === null ? [] : [[configMapId(use), use] as const]))),
    sources: steps.map((step) => ({
      id: configMapId(step.configMap),
      resourceVersion: step.configMap.resourceVersion,
      state: step.use === null ? 'left-out' : step.use === step.configMap ? 'in-force' : 'last-good',
      problems: step.problems.length > 0 ? step.problems : problems.filter((problem) => owns(step, problem)),
      configMap: step.configMap,
    })),
  };
}

/** The newest resourceVersion of some ConfigMaps; null if there are none. */
export function newestVersion(configMaps: Iterable<PolicyConfigMap>): string | null {
  let newest: string | null = null;
  for (const { resourceVersion } of configMaps) if (newest === null || newerVersion(resourceVersion, newest)) newest = resourceVersion;
  return newest;
}

/** Whether a resourceVersion is newer than another. They are increasing numbers, and may exceed 2^53. */
export function newerVersion(version: string, than: string): boolean {
  return version.length > than.length || (version.length === than.length && version > than);
}
