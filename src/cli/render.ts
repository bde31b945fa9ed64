import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { loadCatalog } from '../catalog/index.ts';
import { renderEnvoy } from '../envoy/render.ts';
import { chainStyleOf, chainWarning, defaultEnvoyVersion, envoyVersions } from '../envoy/versions.ts';
import { defaultPolicyFile } from '../policy/source.ts';
import { FilePolicyStore } from '../policy/store.ts';

interface RenderFlags {
  readonly policy?: string;
  readonly listen: string;
  readonly admin: string;
  readonly sluice: string;
  readonly ca: string;
  readonly otlp?: string;
  readonly envoyVersion: string;
  readonly failClosed?: boolean;
  readonly out?: string;
}

/** `sluice render envoy`: a bootstrap for Envoy, from the policy's providers. */
export function registerRender(program: Command): void {
  program
    .command('render')
    .description('configuration for the proxies that Sluice is attached to')
    .command('envoy')
    .description("Envoy's bootstrap: listener, Sluice's filters, a cluster for each provider")
    .option('--policy <path>', 'policy file or folder (default: the embedded policy)')
    .option('--listen <host:port>', 'where apps call', '127.0.0.1:10000')
    .option('--admin <host:port>', "Envoy's admin", '127.0.0.1:9902')
    .option('--sluice <address>', 'where Sluice listens: unix:/path or host:port', 'unix:/tmp/sluice.sock')
    .option('--ca <file>', "CAs that providers' certificates are checked against", '/etc/ssl/certs/ca-certificates.crt')
    .option('--otlp <host:port>', 'an OTLP collector (gRPC) that Envoy sends spans of its own to')
    .option('--envoy-version <version>', `the Envoy that it is for: ${envoyVersions.join(', ')}`, defaultEnvoyVersion)
    .option('--fail-closed', 'answer 503 when Sluice cannot be reached, instead of letting requests pass')
    .option('--out <file>', 'write here instead of to stdout')
    .action(async (flags: RenderFlags) => {
      const store = new FilePolicyStore({ path: flags.policy ?? fileURLToPath(defaultPolicyFile), catalog: await loadCatalog(), watch: false });
      const generation = store.current();
      const chains = chainStyleOf(flags.envoyVersion);
      const warning = chainWarning(chains, generation);
      if (warning !== null) process.stderr.write(`warning: ${warning}\n`);
      const config = renderEnvoy({
        providers: [...generation.providers.values()],
        sluice: flags.sluice,
        listen: flags.listen,
        admin: flags.admin,
        failClosed: flags.failClosed ?? generation.section('', [...generation.providers.keys()][0]!).failClosed,
        caFile: flags.ca,
        otlp: flags.otlp ?? null,
        chains,
      });
      const text = `# Rendered by \`sluice render envoy\` from policy ${generation.hash}.\n${stringify(config, { lineWidth: 0, aliasDuplicateObjects: false })}`;
      if (flags.out === undefined) process.stdout.write(text);
      else await writeFile(flags.out, text);
    });
}
