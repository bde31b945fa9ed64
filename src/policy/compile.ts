import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { withOverrides } from '../catalog/index.ts';
import type { Catalog } from '../catalog/types.ts';
import { limits } from '../lib/limits.ts';
import { compileBudgets } from './budgets.ts';
import { compileCallers } from './callers.ts';
import { isExampleFile } from './example-file.ts';
import { compileExperiments, compileRollout } from './experiments.ts';
import { loadFile, plainProblem, secretProblems, type LoadedFile } from './load.ts';
import { namingOthers } from './other-file.ts';
import { compileRateLimits } from './rate-limits.ts';
import { mergeProviders, providerResolver } from './providers.ts';
import { checkDelegations, type Trusted } from './delegations.ts';
import { checkClosed, checkCovered, checkMatch } from './match.ts';
import { mergeFiles } from './merge.ts';
import { checkCatalogOverrides } from './provider-checks.ts';
import { findSecrets } from './secrets.ts';
import type { PolicyDocument } from './schema.ts';
import { rememberedSections, sectionFacts, sectionTable } from './section-table.ts';
import { SectionCompiler } from './section.ts';
import type { PolicyFile, PolicySnapshot, Problem } from './types.ts';
import { checkWorkspaceNames } from './warnings.ts';
import { checkVouched } from './vouched.ts';

export interface CompileOptions {
  readonly catalog: Catalog;
  readonly number?: number;
  readonly resourceVersion?: string | null;
  readonly now?: number;
  /** The files are a part of this policy: they may contain only `defaults` and `sections`; everything else comes from the policy. */
  readonly partOf?: Pick<PolicySnapshot, 'providers' | 'ruleHeaders'>;
  /** Namespaces whose files may write everything; files of other namespaces are checked against `delegations`. If absent, all may. */
  readonly trusted?: Trusted;
  /** The files are already in order of precedence; otherwise they are sorted by name. */
  readonly inOrder?: boolean;
  /** Called for every CEL expression whose evaluation failed. */
  readonly onRuleError?: (rule: string, error: unknown) => void;
}

export interface CompileResult {
  /** Null if there is any error. */
  readonly generation: PolicySnapshot | null;
  readonly problems: readonly Problem[];
}

/** A policy's files in order, those that were read, and the problems found in them. `loaded` lacks texts that could not be read. */
export interface ReadPolicy {
  readonly files: readonly PolicyFile[];
  readonly loaded: readonly LoadedFile[];
  readonly problems: Problem[];
}

/** A compilation before its problems are put in order; `generation` is null where nothing could be compiled. */
interface Assembled {
  readonly generation: PolicySnapshot | null;
  readonly problems: readonly Problem[];
}

/**
 * Parses, checks and compiles a policy that may be spread over files (a ConfigMap's keys), in the order of their names unless `inOrder` is
 * set: maps are merged, sections appended, and duplicate definitions are problems. Never throws on any text.
 */
export function compilePolicy(files: readonly PolicyFile[], options: CompileOptions): CompileResult {
  const ordered = orderFiles(files, options);
  const problems: Problem[] = unreadProblems(ordered);
  if (problems.length > 0) return { generation: null, problems };
  const read = { files: ordered, loaded: textsOf(ordered).flatMap((file) => loadFile(file, problems) ?? []), problems };
  return resultOf(read, runSteps(assemble(read, options)));
}

/** The files in their order of precedence. */
export function orderFiles(files: readonly PolicyFile[], { inOrder }: Pick<CompileOptions, 'inOrder'>): readonly PolicyFile[] {
  return inOrder === true ? files : [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The policy texts among a policy's files: without the files of examples. */
export function textsOf(files: readonly PolicyFile[]): readonly PolicyFile[] {
  return files.filter((file) => !isExampleFile(file));
}

/** Reasons not to read the files at all: there are none, or too many bytes of them. */
export function unreadProblems(files: readonly PolicyFile[]): Problem[] {
  if (textsOf(files).length === 0) return [plainProblem('', 'empty', 'there is no policy here', 'Write at least `version: 1`.')];
  const size = files.reduce((sum, file) => sum + Buffer.byteLength(file.text), 0);
  if (size <= limits.policyBytes) return [];
  const message = `the policy is ${size} bytes; ${limits.policyBytes} are read`;
  return [plainProblem(files[0]!.name, 'too-large', message, 'Split it by workspace.')];
}

/** Compiles what was read, and yields between steps of at most a few milliseconds. Adds to `read.problems`. */
export function* assemble(read: ReadPolicy, options: CompileOptions): Generator<undefined, Assembled> {
  const { files, loaded, problems } = read;
  for (const file of files) if (isExampleFile(file)) problems.push(...secretProblems(file));
  // Settings missing from an unreadable file would cause errors in the others, so they are checked only if every file can be read.
  if (isPartlyRead(read)) return { generation: null, problems };
  // A setting that a team may not write must not appear as another file's mistake.
  if (options.trusted !== undefined && !checkDelegations(loaded, options.trusted, problems)) return { generation: null, problems };
  return { generation: yield* build(loaded, files, options, problems), problems };
}

/** The result with its problems as they are shown. */
export function resultOf(read: ReadPolicy, { generation, problems }: Assembled): CompileResult {
  const named = isPartlyRead(read) ? problems : namingOthers(problems, read.loaded);
  return { generation: problems.some(({ level }) => level === 'error') ? null : generation, problems: shown(named, read.files) };
}

function isPartlyRead({ files, loaded }: ReadPolicy): boolean {
  return loaded.length < textsOf(files).length;
}

/** Runs all steps at once. */
function runSteps<T>(steps: Iterator<undefined, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Problems for display: sorted by line, without those that another one explains, and without secrets. */
function shown(problems: readonly Problem[], files: readonly PolicyFile[]): readonly Problem[] {
  const place = new Map(files.map(({ name }, at) => [name, at]));
  const kept = problems.filter((problem) => problem.code !== 'no-candidates' || !problems.some((other) => explains(other, problem)));
  const inOrder = [...kept].sort((a, b) => (place.get(a.file) ?? 0) - (place.get(b.file) ?? 0) || a.line - b.line);
  return withoutSecrets(inOrder, files);
}

/** Problems of candidates that leave a tier without any. */
const lostCandidates: ReadonlySet<string> = new Set(['unknown-model', 'cross-provider', 'dialect']);

/** A tier without candidates may have one that is misspelt or out of reach, which is reported already. */
function explains(other: Problem, lacking: Problem): boolean {
  if (!lostCandidates.has(other.code) || other.level !== 'error' || other.file !== lacking.file) return false;
  const section = /^(.*?)\.(?:candidates|tiers|overrides|rules)\b/.exec(lacking.path)?.[1] ?? '';
  return other.path.startsWith(`${section}.candidates`) || other.path.startsWith('defaults.candidates');
}

/** Problems quote names from the policy, which may be a misplaced key: remove keys from messages. */
function withoutSecrets(problems: readonly Problem[], files: readonly PolicyFile[]): readonly Problem[] {
  const secrets = files.flatMap((file) => findSecrets(file.text)).map(({ text }) => text);
  if (secrets.length === 0) return problems;
  const clean = (text: string): string => secrets.reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text);
  return problems.map((problem) => ({ ...problem, path: clean(problem.path), message: clean(problem.message), fix: clean(problem.fix) }));
}

function* build(
  loaded: readonly LoadedFile[],
  files: readonly PolicyFile[],
  options: CompileOptions,
  problems: Problem[],
): Generator<undefined, PolicySnapshot> {
  const merged = mergeFiles(loaded, options.partOf !== undefined, problems);
  const { sections } = merged;
  const workspaces = merged.workspacesAt?.document.workspaces;
  const providers = options.partOf?.providers ?? mergeProviders(merged.providers);
  const catalog = withOverrides(options.catalog, merged.overrides);
  checkCatalogOverrides(loaded, providers, catalog, options.catalog, problems);
  const ruleHeaders = options.partOf?.ruleHeaders ?? lowerCase(workspaces?.ruleHeaders ?? []);
  const defaultsSource = (merged.defaultsAt ?? loaded[0]!).source;
  const compiler = new SectionCompiler({
    providers,
    catalog,
    defaults: merged.defaultsAt?.document.defaults ?? {},
    defaultsSource,
    ruleHeaders: new Set(ruleHeaders),
    exampleFiles: new Map(files.filter(isExampleFile).map((file) => [file.name, file])),
    problems,
    onRuleError: options.onRuleError ?? (() => undefined),
  });
  for (const section of sections) checkMatch(section, providers, problems);
  const compiled = { compiler, providers, sections, defaultsSource };
  const table = yield* sectionTable(compiled);
  const experiments = yield* compileExperiments(loaded, {
    providers,
    problems,
    target: (text, source, path, provider) => compiler.target(text, source, path, provider),
    *sections(overlay) {
      return (yield* sectionTable(compiled, overlay)).of;
    },
  });
  compiler.finish();
  checkCovered(sections, problems);
  checkClosed(sections, [...providers.keys()], (provider) => table.of('', provider).failClosed, problems);
  checkWorkspaceNames(loaded, problems);
  const rateLimits = compileRateLimits(loaded, catalog, problems);
  if (options.partOf === undefined) checkVouched(loaded, problems);
  return {
    ...identity(files, options),
    providers,
    catalog,
    files,
    experiments,
    rollout: compileRollout(loaded, problems),
    ...namesOf(workspaces),
    ruleHeaders,
    ...compileBudgets(loaded, catalog, problems),
    callers: compileCallers(loaded, problems),
    namedWorkspaces: namedWorkspaces(loaded, workspaces?.known ?? []),
    rateLimits,
    limitsConcurrent: rateLimits.some(({ measures }) => measures.some(({ kind }) => kind === 'concurrent')),
    ...sectionFacts(table.all),
    resolveProvider: providerResolver(providers),
    section: rememberedSections(table),
  };
}

function namesOf(workspaces: PolicyDocument['workspaces']): Pick<PolicySnapshot, 'workspaceHeaders' | 'userHeaders' | 'workspaces'> {
  return {
    workspaceHeaders: lowerCase(workspaces?.headers ?? ['x-sluice-workspace']),
    userHeaders: lowerCase(workspaces?.userHeaders ?? ['x-sluice-user']),
    workspaces: workspaces?.known ?? [],
  };
}

const lowerCase = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());

function identity(
  files: readonly PolicyFile[],
  { number, resourceVersion, now }: CompileOptions,
): Pick<PolicySnapshot, 'number' | 'hash' | 'resourceVersion' | 'loadedAt'> {
  // Without folders, so that the same ConfigMap has the same hash wherever it is mounted, and as a manifest.
  const text = files.map((file) => `${basename(file.name).replace(/^.*#/, '')}\n${file.text}`).join('\n');
  return {
    number: number ?? 1,
    hash: createHash('sha256').update(text).digest('hex').slice(0, 16),
    resourceVersion: resourceVersion ?? null,
    loadedAt: now ?? Date.now(),
  };
}

/** Workspaces that are named in full anywhere; null if nothing is counted by workspace. */
function namedWorkspaces(loaded: readonly LoadedFile[], known: readonly string[]): ReadonlySet<string> | null {
  const counting = loaded.flatMap(({ document }) => [...(document.budgets ?? []), ...(document.limits ?? [])]);
  if (!counting.some(({ per }) => per?.includes('workspace') === true)) return null;
  const matches = [...counting, ...loaded.flatMap(({ document }) => document.sections ?? [])].flatMap(
    ({ match }) => match?.workspace ?? [],
  );
  return new Set(['default', ...known, ...matches.filter((name) => !name.endsWith('*'))]);
}
