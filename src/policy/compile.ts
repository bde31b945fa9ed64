import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { withOverrides, type CatalogOverrides } from '../catalog/index.ts';
import type { Catalog } from '../catalog/types.ts';
import { limits } from '../lib/limits.ts';
import { compileBudgets } from './budgets.ts';
import { compileCallers } from './callers.ts';
import { isExampleFile } from './example-file.ts';
import { compileExperiments, compileRollout, type Overlay } from './experiments.ts';
import { loadFile, plainProblem, secretProblems, type LoadedFile } from './load.ts';
import { namingOthers } from './other-file.ts';
import { compileRateLimits } from './rate-limits.ts';
import { mergeProviders, providerResolver } from './providers.ts';
import { checkDelegations, type Trusted } from './delegations.ts';
import { checkClosed, checkCovered, checkMatch, sectionFinder, type PlacedSection } from './match.ts';
import { checkCatalogOverrides, checkProviders } from './provider-checks.ts';
import type { PolicyDocument } from './schema.ts';
import type { ProviderDocument } from './options/providers.ts';
import type { SectionDocument, SettingsDocument } from './options/section.ts';
import { findSecrets } from './secrets.ts';
import { SectionCompiler } from './section.ts';
import type { PolicyFile, PolicySnapshot, PolicySection, Problem } from './types.ts';
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

const partKeys: ReadonlySet<string> = new Set(['version', 'defaults', 'sections']);

function* build(
  loaded: readonly LoadedFile[],
  files: readonly PolicyFile[],
  options: CompileOptions,
  problems: Problem[],
): Generator<undefined, PolicySnapshot> {
  const ownProviders: Record<string, ProviderDocument> = {};
  const overrides: Record<string, CatalogOverrides[string]> = {};
  let workspaces: PolicyDocument['workspaces'];
  let defaults: SettingsDocument = {};
  let defaultsAt: LoadedFile | null = null;
  for (const entry of loaded) {
    const { source, document } = entry;
    checkProviders(entry, ownProviders, problems);
    if (options.partOf !== undefined) {
      for (const key of Object.keys(document)) {
        if (!partKeys.has(key))
          problems.push(
            source.problem(
              'error',
              'not-in-part',
              [key],
              `${key} may not stand in the policy of one workspace and provider`,
              'Write it into the policy that this one belongs to.',
            ),
          );
      }
    }
    Object.assign(ownProviders, document.providers);
    for (const [provider, models] of Object.entries(document.catalog?.overrides ?? {})) {
      for (const model of Object.keys(models)) {
        if (Object.hasOwn(overrides[provider] ?? {}, model))
          problems.push(
            source.problem(
              'error',
              'twice',
              ['catalog', 'overrides', provider, model],
              `${model} is overridden in another file too`,
              'Keep one of them.',
            ),
          );
      }
      overrides[provider] = { ...overrides[provider], ...models };
    }
    if (document.workspaces !== undefined) {
      if (workspaces !== undefined)
        problems.push(
          source.problem('error', 'twice', ['workspaces'], 'workspaces is written down in another file too', 'Keep one of them.'),
        );
      workspaces = document.workspaces;
    }
    if (document.defaults !== undefined) {
      if (defaultsAt !== null)
        problems.push(source.problem('error', 'twice', ['defaults'], 'defaults is written down in another file too', 'Keep one of them.'));
      defaults = document.defaults;
      defaultsAt = entry;
    }
  }
  const providers = options.partOf?.providers ?? mergeProviders(ownProviders);
  const catalog = withOverrides(options.catalog, overrides);
  checkCatalogOverrides(loaded, providers, catalog, options.catalog, problems);
  const ruleHeaders = options.partOf?.ruleHeaders ?? (workspaces?.ruleHeaders ?? []).map((header) => header.toLowerCase());
  const defaultsSource = (defaultsAt ?? loaded[0]!).source;
  const compiler = new SectionCompiler({
    providers,
    catalog,
    defaults,
    defaultsSource,
    ruleHeaders: new Set(ruleHeaders),
    exampleFiles: new Map(files.filter(isExampleFile).map((file) => [file.name, file])),
    problems,
    onRuleError: options.onRuleError ?? (() => undefined),
  });
  const sections: PlacedSection[] = [];
  const names = new Set<string>();
  for (const { source, document } of loaded) {
    for (const [index, section] of (document.sections ?? []).entries()) {
      if (names.has(section.name))
        problems.push(
          source.problem(
            'error',
            'twice',
            ['sections', index, 'name'],
            `there is another section called ${section.name}`,
            'Give each section its own name.',
          ),
        );
      names.add(section.name);
      sections.push({ document: section, source, index });
    }
  }
  for (const section of sections) checkMatch(section, providers, problems);
  // Compiled for every provider that a section can apply to, so that mistakes are found now and not by a request.
  const all = function* (overlay?: Overlay): Generator<undefined, Map<string, PolicySection>> {
    const made = new Map<string, PolicySection>();
    const global: SectionDocument = { name: 'defaults' };
    for (const provider of providers.values()) {
      made.set(`\n${provider.name}`, compiler.compile(global, defaultsSource, null, provider, overlay));
      for (const { document, source, index } of sections) {
        if (document.match?.provider !== undefined && !document.match.provider.includes(provider.name)) continue;
        made.set(`${document.name}\n${provider.name}`, compiler.compile(document, source, index, provider, overlay));
        yield;
      }
    }
    return made;
  };
  const compiled = yield* all();
  const find = sectionFinder(sections.map(({ document }) => document));
  const experiments = yield* compileExperiments(loaded, {
    providers,
    problems,
    target: (text, source, path, provider) => compiler.target(text, source, path, provider),
    *sections(overlay) {
      const varied = yield* all(overlay);
      return (workspace, provider) => varied.get(`${find(workspace, provider)?.name ?? ''}\n${provider}`)!;
    },
  });
  const rollout = compileRollout(loaded, problems);
  compiler.finish();
  checkCovered(sections, problems);
  checkClosed(
    sections,
    [...providers.keys()],
    (provider) => compiled.get(`${find('', provider)?.name ?? ''}\n${provider}`)!.failClosed,
    problems,
  );
  checkWorkspaceNames(loaded, problems);
  const budgets = compileBudgets(loaded, catalog, problems);
  const callers = compileCallers(loaded, problems);
  const rateLimits = compileRateLimits(loaded, catalog, problems);
  if (options.partOf === undefined) checkVouched(loaded, problems);
  const cache = new Map<string, PolicySection>();
  // Most requests are for the same as the one before.
  const last = { workspace: '', provider: '', section: null as PolicySection | null };
  // Without folders, so that the same ConfigMap has the same hash wherever it is mounted, and as a manifest.
  const text = files.map((file) => `${basename(file.name).replace(/^.*#/, '')}\n${file.text}`).join('\n');
  return {
    number: options.number ?? 1,
    hash: createHash('sha256').update(text).digest('hex').slice(0, 16),
    resourceVersion: options.resourceVersion ?? null,
    loadedAt: options.now ?? Date.now(),
    providers,
    catalog,
    files,
    experiments,
    rollout,
    workspaceHeaders: (workspaces?.headers ?? ['x-sluice-workspace']).map((header) => header.toLowerCase()),
    userHeaders: (workspaces?.userHeaders ?? ['x-sluice-user']).map((header) => header.toLowerCase()),
    ruleHeaders,
    ...budgets,
    callers,
    namedWorkspaces: namedWorkspaces(loaded, workspaces?.known ?? []),
    rateLimits,
    limitsConcurrent: rateLimits.some(({ measures }) => measures.some(({ kind }) => kind === 'concurrent')),
    workspaces: workspaces?.known ?? [],
    hasChains: [...compiled.values()].some(({ fallback }) => fallback !== null),
    hasMasks: [...compiled.values()].some(({ masks, mode }) => masks !== null && mode === 'enabled'),
    keyFiles: [...new Set([...compiled.values()].flatMap(({ keys }) => [...keys.values()].flat()))],
    hasClosedSections: [...compiled.values()].some(
      ({ failClosed, sensitivity, mode, credentials }) =>
        mode === 'enabled' && (failClosed || sensitivity.length > 0 || credentials === 'gateway'),
    ),
    withholds: [...compiled.values()].some(
      ({ mode, sensitivity, overrides, rules }) =>
        mode === 'enabled' && (sensitivity.length > 0 || [...overrides, ...rules].some(({ then }) => then.kind === 'block')),
    ),
    tierTables: new Map(
      [...compiled.values()]
        .filter(({ mode, routedTiers }) => mode !== 'off' && routedTiers.size > 0)
        .map(({ name, classifier }) => [name, classifier.thresholds]),
    ),
    resolveProvider: providerResolver(providers),
    section(workspace, provider) {
      if (last.section !== null && workspace === last.workspace && provider === last.provider) return last.section;
      const key = `${workspace}\n${provider}`;
      const section = cache.get(key) ?? compiled.get(`${find(workspace, provider)?.name ?? ''}\n${provider}`)!;
      // Bounded, because callers can invent workspace names.
      if (cache.size < limits.labelValues * 10) cache.set(key, section);
      last.workspace = workspace;
      last.provider = provider;
      return (last.section = section);
    },
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
