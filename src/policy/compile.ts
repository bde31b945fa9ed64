import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { withOverrides, type CatalogOverrides } from '../catalog/index.ts';
import type { Catalog } from '../catalog/types.ts';
import { limits } from '../limits.ts';
import { didYouMean } from './nearest.ts';
import { isDefaultProvider, mergeProviders, providerResolver } from './providers.ts';
import { policySchema, type PolicyDocument, type ProviderDocument, type SectionDocument, type SettingsDocument } from './schema.ts';
import { secretIn } from './secrets.ts';
import { SectionCompiler } from './section.ts';
import { SourceFile, type PolicyFile } from './source-map.ts';
import type { PolicyGeneration, PolicySection, Problem } from './types.ts';

export interface CompileOptions {
  readonly catalog: Catalog;
  readonly number?: number;
  readonly resourceVersion?: string | null;
  readonly now?: number;
  /** Told of every CEL expression that failed while it was evaluated. */
  readonly onRuleError?: (rule: string, error: unknown) => void;
}

export interface CompileResult {
  /** Null when there is any error. */
  readonly generation: PolicyGeneration | null;
  readonly problems: readonly Problem[];
}

interface Loaded {
  readonly source: SourceFile;
  readonly document: PolicyDocument;
}

/**
 * Parses, checks and compiles a policy that may be spread over files (a ConfigMap's keys), in the order of their names:
 * maps are joined, sections appended, anything said twice is a problem. Never throws on any text.
 */
export function compilePolicy(files: readonly PolicyFile[], options: CompileOptions): CompileResult {
  const problems: Problem[] = [];
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const size = sorted.reduce((sum, file) => sum + Buffer.byteLength(file.text), 0);
  if (size > limits.policyBytes) {
    problems.push(plainProblem(sorted[0]?.name ?? '', 'too-large', `the policy is ${size} bytes; ${limits.policyBytes} are read`, 'Split it by workspace.'));
    return { generation: null, problems };
  }
  const loaded = sorted.flatMap((file) => load(file, problems));
  if (loaded.length === 0) {
    if (problems.length === 0) problems.push(plainProblem(sorted[0]?.name ?? '', 'empty', 'there is no policy here', 'Write at least `version: 1`.'));
    return { generation: null, problems };
  }
  const generation = build(loaded, sorted, options, problems);
  return { generation: problems.some(({ level }) => level === 'error') ? null : generation, problems };
}

function plainProblem(file: string, code: string, message: string, fix: string): Problem {
  return { level: 'error', code, file, line: 1, column: 1, path: '', message, fix };
}

function load(file: PolicyFile, problems: Problem[]): Loaded[] {
  for (const [index, line] of file.text.split('\n').entries()) {
    const kind = secretIn(line);
    if (kind === null) continue;
    problems.push({
      ...plainProblem(file.name, 'secret', `this line holds what looks like ${kind}`, 'Keep keys in a Secret and name its file in credentialFile; then revoke this one.'),
      line: index + 1 + (file.lineOffset ?? 0),
    });
  }
  const source = new SourceFile(file);
  const syntax = source.syntaxProblems();
  if (syntax.length > 0) {
    problems.push(...syntax);
    return [];
  }
  let value: unknown;
  try {
    value = source.value();
  } catch (error) {
    problems.push(source.problem('error', 'yaml', [], error instanceof Error ? error.message : String(error), 'Use fewer aliases.'));
    return [];
  }
  if (value === null || value === undefined) {
    problems.push(source.problem('error', 'empty', [], 'the file is empty', 'Write at least `version: 1`, or remove the file.'));
    return [];
  }
  const parsed = policySchema.safeParse(value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(...schemaProblems(source, issue));
    return [];
  }
  return [{ source, document: parsed.data }];
}

function schemaProblems(source: SourceFile, issue: z.core.$ZodIssue): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    return issue.keys.map((key) =>
      source.problem('error', 'unknown-key', [...issue.path, key], `there is no setting called ${key} here`, didYouMean(key, known, known.length === 0 ? 'Remove it.' : `Known: ${known.join(', ')}.`)),
    );
  }
  const missing = issue.code === 'invalid_type' && /undefined/.test(issue.message);
  return [source.problem('error', missing ? 'missing' : 'schema', issue.path, lowerFirst(issue.message), missing ? `Add ${String(issue.path.at(-1))}.` : 'See docs/policy.md for what is allowed here.')];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The keys that the schema knows at a path; empty where keys are free. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: unknown = policySchema;
  for (const key of path) {
    const definition = unwrap(schema);
    if (definition?.type === 'object') schema = definition.shape?.[String(key)];
    else if (definition?.type === 'array') schema = definition.element;
    else if (definition?.type === 'record') schema = definition.valueType;
    else return [];
  }
  return Object.keys(unwrap(schema)?.shape ?? {});
}

interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
  readonly valueType?: unknown;
  readonly innerType?: unknown;
}

function unwrap(schema: unknown): Definition | null {
  let definition = (schema as { def?: Definition } | undefined)?.def ?? null;
  while (definition !== null && definition.innerType !== undefined) definition = (definition.innerType as { def: Definition }).def;
  return definition;
}

function build(loaded: readonly Loaded[], files: readonly PolicyFile[], options: CompileOptions, problems: Problem[]): PolicyGeneration {
  const ownProviders: Record<string, ProviderDocument> = {};
  const overrides: Record<string, CatalogOverrides[string]> = {};
  let workspaces: PolicyDocument['workspaces'];
  let defaults: SettingsDocument = {};
  let defaultsAt: Loaded | null = null;
  for (const entry of loaded) {
    const { source, document } = entry;
    for (const [name, provider] of Object.entries(document.providers ?? {})) {
      if (name in ownProviders) problems.push(source.problem('error', 'twice', ['providers', name], `provider ${name} is written down in another file too`, 'Keep one of them.'));
      ownProviders[name] = provider;
      if (!isDefaultProvider(name) && (provider.dialect === undefined || provider.endpoint === undefined)) {
        problems.push(source.problem('error', 'missing', ['providers', name], `provider ${name} needs a dialect and an endpoint`, 'Add both; only the built-in providers bring their own.'));
      }
    }
    for (const [provider, models] of Object.entries(document.catalog?.overrides ?? {})) overrides[provider] = { ...overrides[provider], ...models };
    if (document.workspaces !== undefined) {
      if (workspaces !== undefined) problems.push(source.problem('error', 'twice', ['workspaces'], 'workspaces is written down in another file too', 'Keep one of them.'));
      workspaces = document.workspaces;
    }
    if (document.defaults !== undefined) {
      if (defaultsAt !== null) problems.push(source.problem('error', 'twice', ['defaults'], 'defaults is written down in another file too', 'Keep one of them.'));
      defaults = document.defaults;
      defaultsAt = entry;
    }
  }
  const providers = mergeProviders(ownProviders);
  const catalog = withOverrides(options.catalog, overrides);
  const compiler = new SectionCompiler({ providers, catalog, defaults, problems, onRuleError: options.onRuleError ?? (() => undefined) });
  const sections: { readonly document: SectionDocument; readonly source: SourceFile; readonly index: number }[] = [];
  const names = new Set<string>();
  for (const { source, document } of loaded) {
    for (const [index, section] of (document.sections ?? []).entries()) {
      if (names.has(section.name)) problems.push(source.problem('error', 'twice', ['sections', index, 'name'], `there is another section called ${section.name}`, 'Give each section its own name.'));
      names.add(section.name);
      checkMatch(section, index, source, providers, problems);
      sections.push({ document: section, source, index });
    }
  }
  // Compiled for every provider that a section can be used for, so that its mistakes are found now and not at a request.
  const compiled = new Map<string, PolicySection>();
  const global = { document: { name: 'defaults' } as SectionDocument, source: (defaultsAt ?? loaded[0]!).source, index: -1 };
  for (const provider of providers.values()) {
    compiled.set(`defaults\n${provider.name}`, compiler.compile(global.document, global.source, null, provider));
    for (const { document, source, index } of sections) {
      if (document.match?.provider === undefined || document.match.provider.includes(provider.name)) {
        compiled.set(`${document.name}\n${provider.name}`, compiler.compile(document, source, index, provider));
      }
    }
  }
  checkCovered(sections, problems);
  const bySpecificity = sections
    .map(({ document }) => document)
    .sort((a, b) => specificity(b) - specificity(a));
  const cache = new Map<string, PolicySection>();
  const text = files.map((file) => `${file.name}\n${file.text}`).join('\n');
  return {
    number: options.number ?? 1,
    hash: createHash('sha256').update(text).digest('hex').slice(0, 16),
    resourceVersion: options.resourceVersion ?? null,
    loadedAt: options.now ?? Date.now(),
    providers,
    catalog,
    workspaceHeaders: (workspaces?.headers ?? ['x-sluice-workspace']).map((header) => header.toLowerCase()),
    ruleHeaders: (workspaces?.ruleHeaders ?? []).map((header) => header.toLowerCase()),
    workspaces: workspaces?.known ?? [],
    resolveProvider: providerResolver(providers),
    section(workspace, provider) {
      const key = `${workspace}\n${provider}`;
      const known = cache.get(key);
      if (known !== undefined) return known;
      const match = bySpecificity.find(({ match }) => matches(match?.workspace, workspace) && matches(match?.provider, provider));
      const section = compiled.get(`${match?.name ?? 'defaults'}\n${provider}`)!;
      // Bounded: callers invent workspace names.
      if (cache.size < limits.labelValues * 10) cache.set(key, section);
      return section;
    },
  };
}

function matches(wanted: readonly string[] | undefined, value: string): boolean {
  return wanted === undefined || wanted.some((pattern) => (pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : pattern === value));
}

/** workspace and provider by name, workspace by name, workspace by prefix, provider, neither; the first written wins among equals. */
function specificity({ match }: SectionDocument): number {
  const workspace = match?.workspace === undefined ? 0 : match.workspace.some((pattern) => pattern.endsWith('*')) ? 2 : 4;
  return workspace + (match?.provider === undefined ? 0 : 1);
}

function checkMatch(section: SectionDocument, index: number, source: SourceFile, providers: ReadonlyMap<string, unknown>, problems: Problem[]): void {
  for (const [at, name] of (section.match?.provider ?? []).entries()) {
    if (providers.has(name)) continue;
    problems.push(source.problem('error', 'unknown-provider', ['sections', index, 'match', 'provider', at], `there is no provider ${name}`, didYouMean(name, providers.keys(), `Known: ${[...providers.keys()].join(', ')}.`)));
  }
}

/** A section with the very same match as an earlier one is never used. */
function checkCovered(sections: readonly { document: SectionDocument; source: SourceFile; index: number }[], problems: Problem[]): void {
  const seen = new Map<string, string>();
  for (const { document, source, index } of sections) {
    const key = JSON.stringify([[...(document.match?.workspace ?? [])].sort(), [...(document.match?.provider ?? [])].sort()]);
    const earlier = seen.get(key);
    if (earlier !== undefined) {
      problems.push(source.problem('error', 'unreachable', ['sections', index], `section ${document.name} is never used: section ${earlier} matches the same requests`, 'Join the two, or make the match narrower.'));
    }
    seen.set(key, earlier ?? document.name);
  }
}
