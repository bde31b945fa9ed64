import type { CompileResult } from '../policy/compile.ts';
import { isExampleFile } from '../policy/example-file.ts';
import { whenThere, type Soon } from '../policy/compiler.ts';
import { notDelegated, type Trusted } from '../policy/delegations.ts';
import { plainProblem } from '../policy/load.ts';
import type { PolicyFile, PolicySnapshot, PolicySourceState, Problem } from '../policy/types.ts';

/** The kinds of objects that hold a policy. */
export type PolicyObjectKind = 'ConfigMap' | 'LLMPolicy';

/** The parts of a labelled ConfigMap or of an LLMPolicy that a policy uses. */
export interface PolicyObject {
  readonly kind: PolicyObjectKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The version of what is written in it; of an LLMPolicy the one with which its `spec` was first seen. */
  readonly resourceVersion: string;
  /** `metadata.generation` of an LLMPolicy; null for a ConfigMap, which has none. */
  readonly generation: number | null;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** Its files: of a ConfigMap the keys ending with .yaml, .yml or .jsonl, of an LLMPolicy `spec`. */
  readonly data: Readonly<Record<string, string>>;
}

export interface ComposeOptions {
  /** All ConfigMaps and LLMPolicies, in any order. */
  readonly objects: readonly PolicyObject[];
  /** Namespaces in order of precedence; others come after them. */
  readonly namespaces: readonly string[];
  /** Namespaces with precedence over all others. Absent if there are none. */
  readonly trusted?: Trusted;
  /** The version of each object currently in force, by `policyObjectId`. */
  readonly inForce: ReadonlyMap<string, PolicyObject>;
  /** Most source bytes of one policy. */
  readonly maxBytes: number;
  /** Compiles files in the given order. */
  readonly compile: (files: readonly PolicyFile[]) => Soon<CompileResult>;
}

export interface Composed {
  /** Null if the current policy must stay, because another object's edit would drop an object from it. */
  readonly generation: PolicySnapshot | null;
  /** The versions that the generation is composed of, by `policyObjectId`. */
  readonly inForce: ReadonlyMap<string, PolicyObject>;
  readonly sources: readonly (PolicySourceState & { readonly object: PolicyObject })[];
}

/** `namespace/name` of a ConfigMap, `namespace/LLMPolicy.name` of an LLMPolicy: no name of Kubernetes has a capital letter. */
export function policyObjectId({ kind, namespace, name }: Pick<PolicyObject, 'kind' | 'namespace' | 'name'>): string {
  return kind === 'ConfigMap' ? `${namespace}/${name}` : `${namespace}/${kind}.${name}`;
}

/** Problem codes of an object that conflicts with an earlier one. */
export const conflictCodes: ReadonlySet<string> = new Set(['twice', 'unreachable']);

/** With these problems an object is left out, without blocking the edits of others. */
const yieldingCodes: ReadonlySet<string> = new Set([...conflictCodes, notDelegated]);

/** The keys of a ConfigMap that are policy files, and files of examples. */
export function policyKeys(data: Readonly<Record<string, string>> | null | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([key]) => /\.(?:ya?ml|jsonl)$/.test(key)));
}

interface Step {
  readonly object: PolicyObject;
  use: PolicyObject | null;
  problems: readonly Problem[];
}

/**
 * Composes one policy from many objects. Order of precedence: the namespaces as listed, then the oldest object, then
 * ConfigMaps, then its name. An object with an error, or with a duplicate of an earlier one's definition, is replaced by its version in force, or left out if it has
 * none; the others are used regardless.
 */
export function compose(options: ComposeOptions): Soon<Composed> {
  const steps: Step[] = inOrder(options).map((object) => ({ object, use: object, problems: [] }));
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

/** Replaces the objects with errors by their versions in force, or leaves them out. False if the policy in force must stay. */
function yieldTo(problems: readonly Problem[], steps: readonly Step[], inForce: ComposeOptions['inForce']): boolean {
  const errors = problems.filter(({ level }) => level === 'error');
  const blamed = steps.filter((step) => step.use !== null && errors.some((problem) => owns(step, problem)));
  let lost = false;
  for (const step of blamed) {
    const own = errors.filter((problem) => owns(step, problem));
    // Report the problems of the new version to its author, not those of falling back.
    if (step.problems.length === 0) step.problems = own;
    const good = inForce.get(policyObjectId(step.object));
    if (good !== undefined && step.use !== null && !sameText(good, step.use)) step.use = good;
    else if (good !== undefined && !own.some(({ code }) => yieldingCodes.has(code))) lost = true;
    else step.use = null;
  }
  return blamed.length > 0 && !lost;
}

function inOrder({ objects, namespaces, trusted }: ComposeOptions): PolicyObject[] {
  const rank = (namespace: string): number => {
    const index = namespaces.indexOf(namespace);
    // Names that a team used first must not keep a trusted namespace's policy out.
    return (index === -1 ? namespaces.length : index) + (trusted?.(namespace) === false ? namespaces.length + 1 : 0);
  };
  return [...objects].sort(
    (a, b) =>
      rank(a.namespace) - rank(b.namespace) ||
      a.created - b.created ||
      // Times have whole seconds.
      compareText(a.kind, b.kind) ||
      compareText(policyObjectId(a), policyObjectId(b)),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Keeps the first objects up to the bound; the others are left out with a problem. */
function boundBytes(steps: readonly Step[], maxBytes: number): void {
  let total = 0;
  for (const step of steps) {
    const bytes = Object.values(step.object.data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    if (total + bytes <= maxBytes) {
      total += bytes;
      continue;
    }
    step.use = null;
    step.problems = [
      plainProblem(
        policyObjectId(step.object),
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
      : [{ name: `${policyObjectId(use)}#policy.yaml`, text: '', namespace: use.namespace }];
    return [
      ...empty,
      ...keys.map((key) => ({ name: `${policyObjectId(use)}#${key}`, text: use.data[key] ?? '', namespace: use.namespace })),
    ];
  });
}

function owns(step: Step, problem: Problem): boolean {
  return problem.file.startsWith(`${policyObjectId(step.object)}#`);
}

function sameText(a: PolicyObject, b: PolicyObject): boolean {
  const text = ({ data }: PolicyObject): string => JSON.stringify(Object.entries(data).sort(([x], [y]) => compareText(x, y)));
  return text(a) === text(b);
}

function result(generation: PolicySnapshot | null, steps: readonly Step[], problems: readonly Problem[]): Composed {
  return {
    generation,
    inForce: new Map(steps.flatMap(({ use }) => (use === null ? [] : [[policyObjectId(use), use] as const]))),
    sources: steps.map((step) => ({
      id: policyObjectId(step.object),
      resourceVersion: step.object.resourceVersion,
      state: step.use === null ? 'left-out' : step.use === step.object ? 'in-force' : 'last-good',
      problems: step.problems.length > 0 ? step.problems : problems.filter((problem) => owns(step, problem)),
      object: step.object,
    })),
  };
}

/** The newest resourceVersion of some objects; null if there are none. */
export function newestVersion(objects: Iterable<PolicyObject>): string | null {
  let newest: string | null = null;
  for (const { resourceVersion } of objects) if (newest === null || newerVersion(resourceVersion, newest)) newest = resourceVersion;
  return newest;
}

/** Whether a resourceVersion is newer than another. They are increasing numbers, and may exceed 2^53. */
export function newerVersion(version: string, than: string): boolean {
  return version.length > than.length || (version.length === than.length && version > than);
}
