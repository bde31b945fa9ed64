import { defaultComparison, defaultKeepMs, type PolicyExperiment, type RolloutPolicy } from './experiment-types.ts';
import { shareOf } from './options/values.ts';
import type { LoadedFile } from './load.ts';
import { fileWith } from './merge.ts';
import { didYouMean } from './nearest.ts';
import type { ExperimentDocument } from './options/experiments.ts';
import type { SettingsDocument } from './options/section.ts';
import type { PolicySource } from './source-map.ts';
import type { PolicySection, Problem, Provider, TargetRef } from './types.ts';

/** What the section compiler provides for experiments. */
export interface ExperimentHelp {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly problems: Problem[];
  /** The target for one provider's traffic; null if none. Reports a problem if no traffic has one. */
  readonly target: (text: string, source: PolicySource, path: readonly PropertyKey[], provider: Provider) => TargetRef | null;
  /** Compiles every section with these settings applied, and returns a lookup by workspace and provider. */
  readonly sections: (overlay: Overlay) => Generator<undefined, (workspace: string, provider: string) => PolicySection>;
}

/** Settings that replace a section's own. */
export interface Overlay {
  readonly settings: SettingsDocument;
  readonly source: PolicySource;
  readonly path: readonly PropertyKey[];
}

/** Compiles the experiments of all files by name, in short steps, and reports problems. */
export function* compileExperiments(loaded: readonly LoadedFile[], help: ExperimentHelp): Generator<undefined, PolicyExperiment[]> {
  const names = new Set<string>();
  const compiled: PolicyExperiment[] = [];
  for (const { source, document } of loaded) {
    for (const [index, experiment] of (document.experiments ?? []).entries()) {
      const path = ['experiments', index];
      const say = (code: string, at: readonly PropertyKey[], message: string, fix: string): void =>
        void help.problems.push(source.problem('error', code, [...path, ...at], message, fix));
      if (names.has(experiment.name) || experiment.name === 'rollout')
        say(
          'twice',
          ['name'],
          experiment.name === 'rollout' ? 'the name rollout is taken by rollouts' : `there is another experiment called ${experiment.name}`,
          'Give each its own name.',
        );
      names.add(experiment.name);
      for (const [at, name] of (experiment.match?.provider ?? []).entries()) {
        if (!help.providers.has(name))
          say(
            'unknown-provider',
            ['match', 'provider', at],
            `there is no provider ${name}`,
            didYouMean(name, help.providers.keys(), 'Name one of this policy.'),
          );
      }
      if (experiment.enabled !== 'off') compiled.push(yield* compileOne(experiment, source, path, help));
    }
  }
  return compiled;
}

function* compileOne(
  document: ExperimentDocument,
  source: PolicySource,
  path: readonly PropertyKey[],
  help: ExperimentHelp,
): Generator<undefined, PolicyExperiment> {
  const base = {
    name: document.name,
    match: {
      workspaces: document.match?.workspace ?? null,
      providers: document.match?.provider === undefined ? null : new Set(document.match.provider),
    },
    share: shareOf(document.share),
    // The subject of the experiment: when it changes, earlier counts no longer apply.
    id: JSON.stringify({ ...document, share: null, stopOnHarm: null }),
  };
  const targets = (text: string): ReadonlyMap<string, TargetRef> =>
    new Map(
      [...help.providers.values()].flatMap((provider) => {
        if (base.match.providers?.has(provider.name) === false) return [];
        const target = help.target(text, source, [...path, 'model'], provider);
        return target === null ? [] : [[provider.name, target] as const];
      }),
    );
  const { model, settings } = document;
  if (document.kind === 'shadow')
    return { ...base, kind: 'shadow', by: 'request', targets: targets(model ?? ''), maxUsdPerDay: document.maxUsdPerDay ?? 0 };
  return {
    ...base,
    kind: 'ab',
    by: document.by ?? 'session',
    target: model === undefined ? null : model === 'requested' ? 'requested' : targets(model),
    section: settings === undefined ? null : yield* help.sections({ settings, source, path: [...path, 'settings'] }),
    stopOnHarm: document.stopOnHarm === 'on',
  };
}

const defaultStages = ['1%', '10%', '50%'];
const defaultRequests = 200;
const defaultMinutes = 30;
const dayMs = 86_400_000;

/** The rollout that the files define; null if none. */
export function compileRollout(loaded: readonly LoadedFile[], problems: Problem[]): RolloutPolicy | null {
  const found = fileWith('rollout', loaded, problems);
  if (found === null) return null;
  const { source } = found;
  const document = found.document.rollout!;
  const stages = (document.stages ?? defaultStages).map(shareOf);
  const wrong = stages.findIndex((stage, at) => !(stage > (stages[at - 1] ?? 0)) || stage >= 1);
  if (wrong !== -1)
    problems.push(
      source.problem(
        'error',
        'range',
        ['rollout', 'stages', wrong],
        'stages rise from above 0% to below 100%',
        'Write e.g. [1%, 10%, 50%]; all requests come after the last by themselves.',
      ),
    );
  return {
    stages,
    by: document.by ?? 'session',
    requests: document.requests ?? defaultRequests,
    stageMs: (document.minutes ?? defaultMinutes) * 60_000,
    keepMs: document.keepForDays === undefined ? defaultKeepMs : document.keepForDays * dayMs,
    falseAlarm: Math.min(
      0.5,
      Math.max(0.0001, document.falseAlarm === undefined ? defaultComparison.falseAlarm : shareOf(document.falseAlarm)),
    ),
    horizon: document.horizon ?? defaultComparison.horizon,
    tolerance: { ...defaultComparison.tolerance, ...defined(document.tolerance ?? {}) },
  };
}

function defined<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}
