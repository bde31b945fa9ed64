import type { EnvoyOptions } from '../render.ts';
import type { Snippet } from '../snippet.ts';
import type { EnvoyConfig, Path } from './config.ts';

/** A problem in an Envoy's config. `error`: requests are undecided, wrong or unobserved; `warning`: it works, but less well. */
export interface EnvoyFinding {
  readonly level: 'error' | 'warning';
  /** The path of fields, and the line if the file is known. */
  readonly where: string;
  readonly message: string;
  readonly fix: string;
}

/** Shared by the checks: the config, the config that Sluice would render, and the list of findings. */
export class Findings {
  readonly config: EnvoyConfig;
  readonly options: EnvoyOptions;
  readonly wanted: Snippet;
  readonly list: EnvoyFinding[] = [];

  constructor(config: EnvoyConfig, options: EnvoyOptions, wanted: Snippet) {
    this.config = config;
    this.options = options;
    this.wanted = wanted;
  }

  error(path: Path, message: string, fix: string): void {
    this.#add('error', path, message, fix);
  }

  warning(path: Path, message: string, fix: string): void {
    this.#add('warning', path, message, fix);
  }

  #add(level: EnvoyFinding['level'], path: Path, message: string, fix: string): void {
    const place = path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${key}`)).join('');
    const line = this.config.line(path);
    this.list.push({ level, where: line === '' ? place : `line ${line.slice(1)}, ${place}`, message, fix });
  }
}
