import { allAbilities } from '../src/attach/abilities.ts';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCatalog } from '../src/catalog/index.ts';
import { freePorts } from '../src/demo/stack.ts';
import { requireEnvoy } from '../src/attach/binary.ts';
import { renderEnvoy } from '../src/attach/render.ts';
import type { UsageMode } from '../src/attach/names.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import { defaultPolicyFile } from '../src/policy/source.ts';
import { Children, root } from './processes.ts';

/**
 * What an Envoy of the bench has beside it.
 * - `none`: nothing
 * - `noop`: the smallest processor there is, on the same two request phases as Sluice
 * - `noop+copy`: the same, and the copies of the answer are sent to it too
 * - `parse`: a processor in Go that parses the body and writes it again
 * - `sluice`: Sluice, with its log, its ledger and its metrics, observing answers as by default
 * - `sluice, observe` and `sluice, protocol-manager`: the same Sluice, observing answers in these ways
 * - `before`: another checkout's Sluice
 */
export type Variant = 'none' | 'noop' | 'noop+copy' | 'parse' | 'sluice' | 'sluice, observe' | 'sluice, protocol-manager' | 'before';

export interface StageOptions {
  /** Policy text; default: the policy that comes with Sluice. */
  readonly policy?: string;
  /** Whose sources run as `sluice` and as `before`; default: this checkout's. */
  readonly checkouts?: Readonly<Partial<Record<'sluice' | 'before', string>>>;
  /** Folder of a built package that runs as `sluice` instead of the sources. */
  readonly built?: string;
}

export interface Place {
  readonly url: string;
  readonly envoyPid: number;
  /** Null: Envoy alone. */
  readonly processorPid: number | null;
}

type Config = ReturnType<typeof renderEnvoy>;
interface Filters {
  http_filters: { name: string; typed_config: Record<string, unknown> }[];
}

const binary = (name: string): string => join(root, '.tools/bench', name);

/** Whether the processors in Go are there; else the no-op is one in Node, and there is none that parses. */
export const hasGo = (): boolean => existsSync(binary('noop'));

const isSluice = (variant: Variant): boolean => variant === 'before' || variant.startsWith('sluice');

const usageOf = (variant: Variant): UsageMode =>
  variant === 'sluice' || variant === 'before' ? 'collect' : variant === 'sluice, protocol-manager' ? 'protocol-manager' : 'observe';

/** Sluice's own rendered config, with its filters taken out or turned to another processor. */
function configFor(variant: Variant, config: Config): Config {
  const copy = structuredClone(config) as {
    static_resources: { listeners: { filter_chains: { filters: { typed_config: Filters }[] }[] }[] };
  };
  const manager = copy.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
  if (isSluice(variant)) return copy;
  if (variant === 'none') {
    manager.http_filters = manager.http_filters.filter(({ name }) => !name.includes('ext_proc'));
    stripRoutes(copy);
    return copy;
  }
  if (variant !== 'noop+copy') manager.http_filters = manager.http_filters.filter(({ name }) => !name.includes('sluice_response'));
  const filter = manager.http_filters.find(({ name }) => name.includes('sluice_request'))!;
  // It cannot ask for the body, so its filter always sends it: the same phases as Sluice's.
  filter.typed_config['processing_mode'] = { ...(filter.typed_config['processing_mode'] as object), request_body_mode: 'BUFFERED' };
  return copy;
}

/** The renderer of Envoy's config in a checkout. */
async function rendererOf(checkout: string): Promise<typeof renderEnvoy> {
  const { renderEnvoy: render } = (await import(join(checkout, 'src/attach/render.ts'))) as { readonly renderEnvoy: typeof renderEnvoy };
  return render;
}

/** Routes name the filters that WebSockets switch off; without the filters Envoy refuses the names. */
function stripRoutes(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  delete (value as Record<string, unknown>)['typed_per_filter_config'];
  for (const part of Object.values(value)) stripRoutes(part);
}

const policyFiles = (policy: string, endpoint: string): { readonly name: string; readonly text: string }[] => [
  { name: 'policy.yaml', text: policy },
  {
    name: 'zz.yaml',
    text: `version: 1\nproviders: {openai: {endpoint: "${endpoint}"}, anthropic: {endpoint: "${endpoint}"}, google: {endpoint: "${endpoint}"}}\n`,
  },
];

/** One fake provider, the processors, and an Envoy (one worker) for each variant. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  readonly children = new Children();
  readonly #places = new Map<Variant, Place>();
  #sluicePid = -1;
  #upstreamPort = 0;
  #policy = '';
  #checkouts: NonNullable<StageOptions['checkouts']> = {};
  #built: string | null = null;

  /** Throws when something does not start. */
  static async open(variants: readonly Variant[], options: StageOptions = {}): Promise<Stage> {
    if (!existsSync('/proc/self/stat')) throw new Error('the bench reads /proc and runs on Linux only');
    const stage = new Stage();
    try {
      await stage.#open(variants, options);
      return stage;
    } catch (error) {
      stage.close();
      throw error;
    }
  }

  place(variant: Variant): Place {
    const place = this.#places.get(variant);
    if (place === undefined) throw new Error(`${variant} was not started`);
    return place;
  }

  /** The fake provider's. */
  get upstreamPort(): number {
    return this.#upstreamPort;
  }

  get sluicePid(): number {
    return this.#sluicePid;
  }

  /** An Envoy without filters in front of a proxy, which takes the providers' place. */
  async inFront(proxyPort: number, proxyPid: number): Promise<Place> {
    const place = await this.#startEnvoy('none', `http://127.0.0.1:${proxyPort}`, null);
    return { ...place, processorPid: proxyPid };
  }

  close(): void {
    this.children.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #open(
    variants: readonly Variant[],
    { policy = readFileSync(defaultPolicyFile, 'utf8'), checkouts = {}, built }: StageOptions,
  ): Promise<void> {
    this.#upstreamPort = await this.children.startUpstream();
    const endpoint = `http://127.0.0.1:${this.#upstreamPort}`;
    this.#policy = policy;
    this.#checkouts = checkouts;
    this.#built = built ?? null;
    const policyFolder = join(this.folder, 'policy');
    mkdirSync(policyFolder);
    for (const { name, text } of policyFiles(policy, endpoint)) writeFileSync(join(policyFolder, name), text);
    const started = await this.#processors(variants, policyFolder);
    for (const variant of variants) this.#places.set(variant, await this.#startEnvoy(variant, endpoint, started[variant] ?? null));
  }

  async #startEnvoy(
    variant: Variant,
    endpoint: string,
    processor: { readonly socket: string; readonly pid: number } | null,
  ): Promise<Place> {
    const { generation, problems } = compilePolicy(policyFiles(this.#policy, endpoint), { catalog: await loadCatalog() });
    if (generation === null) throw new Error(JSON.stringify(problems));
    const [listenPort, adminPort] = await freePorts(2);
    const listen = `127.0.0.1:${listenPort!}`;
    const admin = `127.0.0.1:${adminPort!}`;
    // Each Sluice beside the Envoy that its own sources are for.
    const render = await rendererOf(
      (variant === 'before' ? this.#checkouts.before : variant === 'sluice' ? this.#checkouts.sluice : undefined) ?? root,
    );
    const config = render({
      providers: [...generation.providers.values()],
      sluice: `unix:${processor?.socket ?? join(this.folder, 'nobody')}`,
      listen,
      admin,
      failClosed: true,
      withholds: false,
      caFile: '/etc/ssl/certs/ca-certificates.crt',
      otlp: null,
      memoryBytes: null,
      abilities: allAbilities,
      usage: usageOf(variant),
    });
    const file = join(this.folder, `${listenPort!}.json`);
    writeFileSync(file, JSON.stringify(configFor(variant, config)));
    const child = this.children.start(await requireEnvoy(), [
      '-c',
      file,
      '--use-dynamic-base-id',
      '--concurrency',
      '1',
      '--log-level',
      'error',
    ]);
    await this.children.untilReady(`http://${admin}/ready`);
    return { url: `http://${listen}/v1/chat/completions`, envoyPid: child.pid!, processorPid: processor?.pid ?? null };
  }

  async #processors(
    variants: readonly Variant[],
    policyFolder: string,
  ): Promise<Partial<Record<Variant, { readonly socket: string; readonly pid: number }>>> {
    const go = (name: string, more: readonly string[]): { socket: string; pid: number } => {
      const socket = join(this.folder, `${name}.sock`);
      const child = hasGo()
        ? this.children.start(binary('noop'), [socket, ...more])
        : this.children.start(process.execPath, [join(root, 'bench/noop/noop.ts'), socket]);
      return { socket, pid: child.pid! };
    };
    const started: Partial<Record<Variant, { readonly socket: string; readonly pid: number }>> = {};
    if (variants.includes('noop') || variants.includes('noop+copy')) started.noop = started['noop+copy'] = go('noop', []);
    if (variants.includes('parse')) started.parse = go('parse', ['parse']);
    for (const variant of variants.filter(isSluice)) {
      const which = variant === 'before' ? 'before' : 'sluice';
      const from = (which === 'sluice' ? this.#built : null) ?? this.#checkouts[which] ?? root;
      started[which] ??= this.#startSluice(from, which, policyFolder);
      started[variant] = started[which];
    }
    this.#sluicePid = started.sluice?.pid ?? -1;
    for (const { socket } of Object.values(started)) {
      for (let tries = 0; tries < 600 && !existsSync(socket); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
      if (!existsSync(socket)) throw new Error(`no processor listens on ${socket}`);
    }
    return started;
  }

  #startSluice(checkout: string, name: string, policyFolder: string): { readonly socket: string; readonly pid: number } {
    const own = join(this.folder, name);
    mkdirSync(own);
    const socket = join(own, 'sluice.sock');
    const child = this.children.start(join(checkout, 'bin/sluice'), [
      'serve',
      '--policy',
      policyFolder,
      '--listen',
      `unix:${socket}`,
      '--admin',
      '127.0.0.1:0',
      '--log',
      join(own, 'log'),
      '--ledger',
      join(own, 'ledger.db'),
      '--budgets',
      join(own, 'budgets.json'),
    ]);
    return { socket, pid: child.pid! };
  }
}
