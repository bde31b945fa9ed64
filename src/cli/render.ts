import { fileURLToPath } from 'node:url';
import { Option, type Command } from 'commander';
import { stringify } from 'yaml';
import { loadCatalog } from '../catalog/index.ts';
import { defaultEgressService, defaultSluiceService } from '../attach/deploy.ts';
import { renderEnvoyGateway, type EnvoyGatewayOptions } from '../attach/envoy-gateway.ts';
import { renderIstio, type IstioOptions } from '../attach/istio.ts';
import { kgatewayWarnings, renderKgateway } from '../attach/kgateway.ts';
import { manifestsYaml, type AttachOptions } from '../attach/manifests.ts';
import { defaultEnvoyMemory } from '../attach/overload.ts';
import { renderEnvoy } from '../attach/render.ts';
import { snippetOf, snippetYaml } from '../attach/snippet.ts';
import { usageChoices, usageModeOf, type UsageChoice } from '../attach/usage.ts';
import { abilitiesOf, chainWarning } from '../attach/abilities.ts';
import { defaultEnvoyVersion, envoyVersions } from '../attach/versions.ts';
import { defaultRunbooks, rulesYaml } from '../monitoring/alerts.ts';
import { SluiceError } from '../lib/errors.ts';
import { defaultPolicyFile } from '../policy/source.ts';
import { checkEnvoyFile } from './check-envoy.ts';
import { envoyMemory } from './flags/read.ts';
import { shared } from './flags/shared.ts';
import { writeText } from './write-text.ts';
import { FilePolicyStore } from '../policy/store.ts';
import { requestPolicyOf } from '../attach/ext-proc.ts';
import type { PolicySnapshot } from '../policy/types.ts';

interface RenderFlags {
  readonly policy?: string;
  readonly sluice: string;
  readonly ca: string;
  readonly failClosed?: boolean;
  readonly out?: string;
}

/** For other control planes: they choose Envoy's version, so ways that need a certain version are not offered. */
interface MeshFlags extends RenderFlags {
  readonly usage: (typeof meshUsage)[number];
}

const meshUsage = ['auto', 'collect', 'observe'] as const;

interface EnvoyFlags extends RenderFlags {
  readonly listen: string;
  readonly admin: string;
  readonly envoyVersion: string;
  readonly usage: UsageChoice;
  readonly otlp?: string;
  readonly memory: string;
  readonly snippet?: boolean;
  readonly check?: string;
  readonly json?: boolean;
}

interface IstioFlags extends MeshFlags {
  readonly namespace: string;
  readonly attach: IstioOptions['attach'];
  readonly selector?: string;
  readonly gatewayService: string;
}

interface EnvoyGatewayFlags extends MeshFlags, GatewayFlags {}

/** Which Gateway the manifests are for. */
interface GatewayFlags {
  readonly namespace: string;
  readonly gateway: string;
  readonly listener: string;
  readonly gatewayClass: string;
  readonly existingGateway?: boolean;
}

interface KgatewayFlags extends Omit<RenderFlags, 'ca'>, GatewayFlags {}

/** `sluice render`: Envoy configuration from the policy's providers: standalone, or for Istio, Envoy Gateway or kgateway. */
export function registerRender(program: Command): void {
  const render = program.command('render').description('configuration for the proxies that Sluice is attached to');
  common(render.command('envoy'), 'unix:/tmp/sluice.sock', 'where Sluice listens: unix:/path or host:port')
    .description("Envoy's bootstrap: listener, Sluice's filters, a cluster for each provider")
    .option('--listen <host:port>', 'where apps call', '127.0.0.1:10000')
    .option('--admin <host:port>', "Envoy's admin", '127.0.0.1:9902')
    .option('--memory <size>', 'memory that Envoy may use in all, which bounds its heap: 512Mi, 2Gi; off: no bound', defaultEnvoyMemory)
    .option('--otlp <host:port>', 'an OTLP collector (gRPC) that Envoy sends spans of its own to')
    .option('--envoy-version <version>', `the Envoy that it is for: ${envoyVersions.join(', ')}`, defaultEnvoyVersion)
    .addOption(new Option('--usage <how>', 'how Sluice learns of answers, see docs/envoy.md').choices(usageChoices).default('auto'))
    .option('--snippet', 'only what an envoy.yaml of your own needs, and where each part belongs')
    .addOption(
      new Option('--check <file>', 'say what is missing or wrong in an envoy.yaml of your own (- for stdin); exit 1 on an error').conflicts(
        ['snippet', 'out'],
      ),
    )
    .option(...shared.json)
    .action(renderForEnvoy);
  registerAlerts(render);
  registerIstio(render);
  registerEnvoyGateway(render);
  registerKgateway(render);
}

function registerIstio(render: Command): void {
  common(render.command('istio'), defaultSluiceService, "host:port of Sluice's Service")
    .description("manifests that put Sluice into Istio's sidecars or egress gateway")
    .option('--namespace <name>', "the apps' namespace (sidecar) or the gateway's; Istio's root namespace means all apps", 'default')
    .addOption(new Option('--attach <where>', 'in which proxies').choices(['sidecar', 'egress-gateway']).default('sidecar'))
    .option(
      '--selector <labels>',
      "which pods' proxies: key=value,key=value (default: all of the namespace; egress-gateway: istio=egressgateway)",
    )
    .option('--gateway-service <host>', "egress-gateway: its Service's full name", defaultEgressService)
    .addOption(new Option('--usage <how>', 'how Sluice learns of answers, see docs/envoy.md').choices(meshUsage).default('auto'))
    .action(async (flags: IstioFlags) => {
      const generation = await policyOf(flags);
      const selector = flags.selector ?? (flags.attach === 'sidecar' ? '' : 'istio=egressgateway');
      const objects = renderIstio({
        ...attachOptions(flags, generation),
        usage: usageModeOf(flags.usage, defaultEnvoyVersion, flags.sluice),
        namespace: flags.namespace,
        attach: flags.attach,
        selector: labelsOf(selector),
        gatewayService: flags.gatewayService,
      });
      await print(flags, manifestsYaml('istio', generation.hash, objects));
    });
}

function registerEnvoyGateway(render: Command): void {
  ofGateway(common(render.command('envoy-gateway'), defaultSluiceService, "host:port of Sluice's Service"), 'eg')
    .description('manifests that put Sluice into an Envoy Gateway')
    .addOption(new Option('--usage <how>', 'how Sluice learns of answers, see docs/envoy.md').choices(meshUsage).default('auto'))
    .action(async (flags: EnvoyGatewayFlags) => {
      const generation = await policyOf(flags);
      await print(
        flags,
        manifestsYaml(
          'envoy-gateway',
          generation.hash,
          renderEnvoyGateway({
            ...attachOptions(flags, generation),
            usage: usageModeOf(flags.usage, defaultEnvoyVersion, flags.sluice),
            namespace: flags.namespace,
            gateway: gatewayOf(flags),
          }),
        ),
      );
    });
}

function registerKgateway(render: Command): void {
  // kgateway checks certificates against the CAs that its own control plane names.
  ofGateway(inCommon(render.command('kgateway'), defaultSluiceService, "host:port of Sluice's Service"), 'kgateway')
    .description('manifests that put Sluice into a kgateway')
    .action(renderForKgateway);
}

async function renderForKgateway(flags: KgatewayFlags): Promise<void> {
  const generation = await policyOf(flags);
  const options = attachOptions({ ...flags, ca: '' }, generation);
  const mirrors = generation.experiments.some(({ kind }) => kind === 'shadow');
  for (const warning of kgatewayWarnings(options.providers, { hasChains: generation.hasChains, mirrors }))
    process.stderr.write(`warning: ${warning}\n`);
  const objects = renderKgateway({ ...options, namespace: flags.namespace, gateway: gatewayOf(flags) });
  await print(flags, manifestsYaml('kgateway', generation.hash, objects));
}

function ofGateway(command: Command, className: string): Command {
  return command
    .option('--namespace <name>', "the Gateway's namespace", 'llm')
    .option('--gateway <name>', 'the Gateway', 'sluice')
    .option('--listener <name>', 'its listener', 'http')
    .option('--gateway-class <name>', "the Gateway's class", className)
    .option('--existing-gateway', 'the Gateway is there: do not write one');
}

function gatewayOf({ gateway, listener, gatewayClass, existingGateway }: GatewayFlags): EnvoyGatewayOptions['gateway'] {
  return { name: gateway, listener, className: existingGateway === true ? null : gatewayClass };
}

function registerAlerts(render: Command): void {
  render
    .command('alerts')
    .description("Prometheus's recording rules and alerts")
    .option(
      '--runbooks <url>',
      "where runbook_url leads: the absolute URL of docs/runbooks.md as you publish it, with # at its end; or an address that takes an alert's name",
      defaultRunbooks,
    )
    .option(...shared.out)
    .action(async ({ runbooks, out }: { readonly runbooks: string; readonly out?: string }) => {
      if (!/^https?:$/.test(URL.parse(runbooks)?.protocol ?? ''))
        throw new SluiceError('SLUICE_CLI_USAGE', `${runbooks} is no absolute URL.`, {
          where: '--runbooks',
          fix: 'Write https://docs.example.com/sluice/runbooks#.',
        });
      await print({ out }, rulesYaml(runbooks));
    });
}

async function renderForEnvoy(flags: EnvoyFlags): Promise<void> {
  const generation = await policyOf(flags);
  const abilities = abilitiesOf(flags.envoyVersion);
  const warning = chainWarning(abilities, generation);
  if (warning !== null) process.stderr.write(`warning: ${warning}\n`);
  const options = {
    ...attachOptions(flags, generation),
    listen: flags.listen,
    admin: flags.admin,
    otlp: flags.otlp ?? null,
    memoryBytes: envoyMemory(flags.memory, '--memory') || null,
    abilities,
    usage: usageModeOf(flags.usage, flags.envoyVersion, flags.sluice),
  };
  if (flags.check !== undefined) checkEnvoyFile(flags.check, options, flags.json === true);
  else if (flags.json === true)
    await print(flags, `${JSON.stringify(flags.snippet === true ? snippetOf(options) : renderEnvoy(options), null, 2)}\n`);
  else if (flags.snippet === true) await print(flags, snippetYaml(options, generation.hash));
  else
    await print(
      flags,
      `# Rendered by \`sluice render envoy\` from policy ${generation.hash}.\n${stringify(renderEnvoy(options), { lineWidth: 0, aliasDuplicateObjects: false })}`,
    );
}

function common(command: Command, sluice: string, where: string): Command {
  return inCommon(command, sluice, where).option(
    '--ca <file>',
    "CAs that providers' certificates are checked against, where Envoy runs",
    '/etc/ssl/certs/ca-certificates.crt',
  );
}

function inCommon(command: Command, sluice: string, where: string): Command {
  return command
    .option(...shared.policy)
    .option('--sluice <address>', where, sluice)
    .option('--fail-closed', 'answer 503 when Sluice cannot be reached, instead of letting requests pass')
    .option(...shared.out);
}

async function policyOf({ policy }: Pick<RenderFlags, 'policy'>): Promise<PolicySnapshot> {
  return new FilePolicyStore({ path: policy ?? fileURLToPath(defaultPolicyFile), catalog: await loadCatalog(), watch: false }).current();
}

function attachOptions(flags: RenderFlags, generation: PolicySnapshot): Omit<AttachOptions, 'namespace' | 'usage'> {
  return {
    providers: [...generation.providers.values()],
    sluice: flags.sluice,
    ...requestPolicyOf(generation),
    ...(flags.failClosed === undefined ? {} : { failClosed: flags.failClosed, closedProviders: [] }),
    caFile: flags.ca,
  };
}

/** `key=value,key=value` as labels; empty text gives no labels. */
function labelsOf(text: string): Record<string, string> {
  const pairs = text
    .split(',')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split('='));
  if (pairs.some((pair) => pair.length !== 2 || pair[0] === ''))
    throw new SluiceError('SLUICE_CLI_USAGE', `${text} is no list of labels.`, { where: '--selector', fix: 'Write key=value,key=value.' });
  return Object.fromEntries(pairs.map(([key, value]) => [key!, value!]));
}

async function print({ out }: { readonly out?: string | undefined }, text: string): Promise<void> {
  await writeText(out ?? '-', text);
}
