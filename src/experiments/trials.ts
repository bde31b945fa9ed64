import type { Grade, GradedDecision, GradeSink } from '../grades/types.ts';
import type { PolicySnapshot, PolicySection, TargetRef } from '../policy/types.ts';
import type { ExchangeRecord, RecordSink } from '../record/types.ts';
import type { Forced } from '../route/types.ts';
import { position, takesPart, unitOf } from './assign.ts';
import { Comparison, type ArmName, type ComparedBy, type MetricFigures } from './comparison.ts';
import { defaultComparison, type PolicyExperiment } from '../policy/experiment-types.ts';
import { rolloutName, type Rollout } from './rollout.ts';

/** A copy of a request for another model. */
export interface Shadowed {
  readonly experiment: string;
  readonly target: TargetRef;
  readonly maxUsdPerDay: number;
}

/** The experiments' effect on one request. */
export interface Assignment {
  readonly generation: PolicySnapshot;
  /** Null for the generation's own. */
  readonly section: PolicySection | null;
  readonly forced: Forced | null;
  /** The model that receives a copy; null if none does. */
  readonly shadow: Shadowed | null;
  /** `name:arm`, separated by commas; null if the request is in no experiment. */
  readonly arm: string | null;
}

/** The identity of a requester for experiments. */
export interface Subject {
  readonly id: string;
  readonly workspace: string;
  readonly provider: string;
  /** Key of the conversation; null if unknown. */
  readonly session: string | null;
}

export interface ExperimentStatus {
  readonly name: string;
  readonly kind: PolicyExperiment['kind'];
  readonly share: number;
  /** `harm`: stopped automatically. */
  readonly state: 'running' | 'stopped' | 'harm';
  readonly figures: Readonly<Record<ComparedBy, MetricFigures>>;
}

export interface TrialsOptions {
  readonly rollout: Rollout;
  /** Experiments stopped by hand before a restart. */
  readonly stopped: readonly string[];
  /** Called when an experiment was stopped or started by hand, or stopped because of harm by a criterion. */
  readonly onChange: (name: string, change: 'stopped' | 'started' | 'harm', by: ComparedBy | null) => void;
}

interface Run {
  readonly id: string;
  share: number;
  readonly comparison: Comparison;
  harm: ComparedBy | null;
}

/** Stops all experiments when it is among the stopped ones. */
export const everyExperiment = '*';

/** Assigns requests to arms, and compares the arms by records and grades. */
export class Trials implements RecordSink, GradeSink {
  readonly #options: TrialsOptions;
  readonly #stopped: Set<string>;
  /** By name, for the policies in force. */
  readonly #runs = new Map<string, Run>();

  constructor(options: TrialsOptions) {
    this.#options = options;
    this.#stopped = new Set(options.stopped);
  }

  /** Whether requests of this generation may take part in any experiment. */
  active({ experiments }: Pick<PolicySnapshot, 'experiments'>): boolean {
    return experiments.length > 0 || this.#options.rollout.candidate !== null;
  }

  /** The policy and arms of a request; null if nothing changes. Sticky: the same subject always gets the same. */
  assign(subject: Subject, stable: PolicySnapshot): Assignment | null {
    const arms: string[] = [];
    const chosen = this.#options.rollout.choose((by) => unitOf(by, subject));
    let generation = stable;
    if (chosen !== null && (chosen.arm === 'control' || sameProvider(chosen.generation, stable, subject.provider))) {
      generation = chosen.generation;
      arms.push(`${rolloutName}:${chosen.arm}`);
    }
    let forced: Forced | null = null;
    let section: PolicySection | null = null;
    let shadow: Shadowed | null = null;
    for (const experiment of generation.experiments) {
      if (!this.#ready(experiment) || !takesPart(experiment.match, subject.workspace, subject.provider)) continue;
      const treated = position(experiment.name, unitOf(experiment.by, subject)) < experiment.share;
      if (experiment.kind === 'shadow') {
        const copied = experiment.targets.get(subject.provider);
        if (!treated || copied === undefined || shadow !== null) continue;
        shadow = { experiment: experiment.name, target: copied, maxUsdPerDay: experiment.maxUsdPerDay };
        arms.push(`${experiment.name}:control`);
        continue;
      }
      const target = experiment.target === null || experiment.target === 'requested' ? null : experiment.target.get(subject.provider);
      // This traffic cannot reach the model, so the experiment does not apply.
      if (target === undefined) continue;
      if (!treated) {
        arms.push(`${experiment.name}:control`);
        continue;
      }
      // One treatment per request: with two, neither could be measured.
      if (forced !== null || section !== null) continue;
      arms.push(`${experiment.name}:treatment`);
      if (experiment.section === null) forced = { experiment: experiment.name, target };
      else section = experiment.section(subject.workspace, subject.provider);
    }
    return arms.length === 0 ? null : { generation, section, forced, shadow, arm: arms.join(',') };
  }

  record(record: ExchangeRecord): void {
    if (record.arm === null) return;
    for (const { name, arm } of armsOf(record.arm)) {
      if (name === rolloutName) this.#options.rollout.record(arm, record);
      else this.#note(name, (comparison) => comparison.record(arm, record));
    }
  }

  observe(grade: Grade, { arm: label, policy }: GradedDecision): void {
    if (label === null) return;
    for (const { name, arm } of armsOf(label)) {
      if (name === rolloutName) this.#options.rollout.grade(arm, policy, grade);
      else this.#note(name, (comparison) => comparison.grade(arm, grade));
    }
  }

  /** Ends an experiment's treatments at once, or with `*` those of all. */
  stop(name: string): void {
    if (this.#stopped.has(name)) return;
    this.#stopped.add(name);
    this.#options.onChange(name, 'stopped', null);
  }

  /** Resumes an experiment; one stopped by harm restarts from zero. */
  start(name: string): void {
    if (this.#runs.get(name)?.harm != null) this.#runs.delete(name);
    this.#stopped.delete(name);
    this.#options.onChange(name, 'started', null);
  }

  get stopped(): readonly string[] {
    return [...this.#stopped];
  }

  /** Whether an experiment currently takes requests. */
  runs({ name }: Pick<PolicyExperiment, 'name'>): boolean {
    return !this.#stopped.has(name) && !this.#stopped.has(everyExperiment) && this.#runs.get(name)?.harm == null;
  }

  status(generation: Pick<PolicySnapshot, 'experiments'>): ExperimentStatus[] {
    return generation.experiments.map((experiment) => {
      const run = this.#runOf(experiment);
      const { name, kind, share } = experiment;
      return {
        name,
        kind,
        share,
        state: run.harm !== null ? 'harm' : this.runs(experiment) ? 'running' : 'stopped',
        figures: run.comparison.figures(),
      };
    });
  }

  #ready(experiment: PolicyExperiment): boolean {
    this.#runOf(experiment);
    return this.runs(experiment);
  }

  #runOf(experiment: PolicyExperiment): Run {
    const known = this.#runs.get(experiment.name);
    if (known?.id === experiment.id) {
      if (known.share !== experiment.share) {
        known.share = experiment.share;
        if (experiment.kind === 'ab') setShare(known.comparison, experiment.share);
      }
      return known;
    }
    // A changed experiment restarts from zero.
    const run: Run = { id: experiment.id, share: experiment.share, comparison: new Comparison(defaultComparison), harm: null };
    // Each copy is compared with its own original.
    setShare(run.comparison, experiment.kind === 'shadow' ? 0.5 : experiment.share);
    this.#runs.set(experiment.name, run);
    return run;
  }

  #note(name: string, observe: (comparison: Comparison) => void): void {
    const run = this.#runs.get(name);
    if (run === undefined || run.harm !== null) return;
    observe(run.comparison);
    const { harm } = run.comparison;
    const experiment = this.#options.rollout.stable.experiments.find((one) => one.name === name);
    if (harm === null || experiment?.kind !== 'ab' || !experiment.stopOnHarm) return;
    run.harm = harm;
    this.#options.onChange(name, 'harm', harm);
  }
}

function setShare(comparison: Comparison, share: number): void {
  comparison.share(Math.min(0.999, Math.max(0.001, share)));
}

/** A provider that differs between the two policies cannot be changed after a request's headers were read. */
function sameProvider(one: PolicySnapshot, other: PolicySnapshot, name: string): boolean {
  const [a, b] = [one.providers.get(name), other.providers.get(name)];
  return a !== undefined && b !== undefined && a.family === b.family && a.endpoint === b.endpoint && a.pathPrefix === b.pathPrefix;
}

function armsOf(label: string): { readonly name: string; readonly arm: ArmName }[] {
  return label.split(',').map((part) => {
    const colon = part.lastIndexOf(':');
    return { name: part.slice(0, colon), arm: part.slice(colon + 1) === 'treatment' ? 'treatment' : 'control' };
  });
}
