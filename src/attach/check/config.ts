import { LineCounter, parseDocument, type Document } from 'yaml';
import { SluiceError } from '../../lib/errors.ts';

export type Json = Readonly<Record<string, unknown>>;
export type Path = readonly (string | number)[];

/** One part of an Envoy's config and its path. */
export interface Placed {
  readonly value: Json;
  readonly path: Path;
}

/** An Envoy's config as far as it is known: from a file, or from a running Envoy's dump. */
export interface EnvoyConfig {
  readonly listeners: readonly Placed[];
  readonly clusters: readonly Placed[];
  /** By name: routes that are not inside a connection manager. */
  readonly routes: ReadonlyMap<string, Placed>;
  readonly bootstrap: Json;
  /** Parts come from a control plane and are missing here. */
  readonly partial: boolean;
  /** `:12` for a position in a file; empty if the line is unknown. */
  readonly line: (path: Path) => string;
}

/** Parses a bootstrap, YAML or JSON. Throws SLUICE_ENVOY_CONFIG. */
export function configOfFile(text: string, file: string): EnvoyConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) throw new SluiceError('SLUICE_ENVOY_CONFIG', error.message.split('\n')[0]!, { where: file });
  const value: unknown = document.toJS();
  const bootstrap = objectOf(snakeCased(value));
  const resources = objectOf(bootstrap['static_resources']);
  if (bootstrap['static_resources'] === undefined && bootstrap['dynamic_resources'] === undefined)
    throw new SluiceError('SLUICE_ENVOY_CONFIG', "this is no bootstrap of Envoy's: it has no static_resources.", { where: file });
  const placed = (kind: string): Placed[] =>
    listOf(resources[kind]).map((one, at) => ({ value: objectOf(one), path: ['static_resources', kind, at] }));
  return {
    listeners: placed('listeners'),
    clusters: placed('clusters'),
    routes: new Map(),
    bootstrap,
    partial: bootstrap['dynamic_resources'] !== undefined,
    line: (path) => lineOf(document, lines, path),
  };
}

/** Parses the response of a running Envoy's `/config_dump`. */
export function configOfDump(dump: unknown): EnvoyConfig {
  const configs = listOf(objectOf(dump)['configs']).map(objectOf);
  const of = (type: string): Json[] => configs.filter((config) => textOf(config['@type']).endsWith(`.${type}`));
  const placed = (values: readonly unknown[], kind: string): Placed[] =>
    values.filter((one) => one !== undefined).map((one) => ({ value: objectOf(one), path: [kind, textOf(objectOf(one)['name'] ?? '')] }));
  const each = (type: string, list: string, ...inner: readonly string[]): unknown[] =>
    of(type).flatMap((config) => listOf(config[list]).map((entry) => inner.reduce<unknown>((value, key) => objectOf(value)[key], entry)));
  const routes = placed(
    [
      ...each('RoutesConfigDump', 'static_route_configs', 'route_config'),
      ...each('RoutesConfigDump', 'dynamic_route_configs', 'route_config'),
    ],
    'route',
  );
  return {
    listeners: placed(
      [
        ...each('ListenersConfigDump', 'static_listeners', 'listener'),
        ...each('ListenersConfigDump', 'dynamic_listeners', 'active_state', 'listener'),
      ],
      'listener',
    ),
    clusters: placed(
      [...each('ClustersConfigDump', 'static_clusters', 'cluster'), ...each('ClustersConfigDump', 'dynamic_active_clusters', 'cluster')],
      'cluster',
    ),
    routes: new Map(routes.map((route) => [textOf(route.value['name']), route])),
    bootstrap: objectOf(of('BootstrapConfigDump')[0]?.['bootstrap']),
    partial: false,
    line: () => '',
  };
}

/** Envoy accepts field names in either case style. Map keys (`@type`, `envoy.filters…`) are kept. */
function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      /^[a-z]+([A-Z][a-z0-9]*)+$/.test(key) ? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : key,
      snakeCased(inner),
    ]),
  );
}

/** The line of the deepest part of a path that the file contains, in either case style. */
function lineOf(document: Document, lines: LineCounter, path: Path): string {
  const found: (string | number)[] = [];
  for (const key of path) {
    const spelled = typeof key === 'number' ? [key] : [key, key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    const there = spelled.find((one) => document.hasIn([...found, one]));
    if (there === undefined) break;
    found.push(there);
  }
  const node = document.getIn(found, true) as { readonly range?: readonly number[] } | null | undefined;
  const start = node?.range?.[0];
  return found.length === 0 || start === undefined ? '' : `:${lines.linePos(start).line}`;
}

export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** A string unchanged; undefined as an empty string; anything else as JSON. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value at a path of fields; undefined if missing. */
export function at(value: unknown, ...path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (Array.isArray(inner) && typeof key === 'number' ? (inner as unknown[])[key] : objectOf(inner)[key]),
    value,
  );
}

/** An Envoy duration (`0.5s`) in ms; null if there is none. */
export function msOf(duration: unknown): number | null {
  const found = /^(\d+(?:\.\d+)?)s$/.exec(typeof duration === 'string' ? duration : '');
  return found === null ? null : Number(found[1]) * 1_000;
}
