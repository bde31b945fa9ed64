import type { Command } from 'commander';
import { SluiceError } from '../errors.ts';

interface ServeFlags {
  readonly policy?: string;
  readonly policyConfigmaps?: string;
  readonly policySelector: string;
  readonly catalog?: string;
  readonly catalogSource?: string;
  readonly catalogInterval: string;
  readonly listen: string;
  readonly admin: string;
  readonly log: string;
  readonly logLevel: string;
  readonly grace: string;
}

/**
 * `sluice serve`: the processor. Prints JSON lines; the line with `"msg":"ready"` carries the bound addresses
 * (`listen`, `admin`). SIGTERM and SIGINT drain for `--grace` seconds, then exit 0.
 */
export function registerServe(program: Command): void {
  program
    .command('serve')
    .description("run the external processor for Envoy's ext_proc filters")
    .option('--policy <path>', 'policy file, or folder of a mounted ConfigMap (default: the embedded policy)', process.env['SLUICE_POLICY'])
    .option('--policy-configmaps <namespaces>', 'the policy is in labelled ConfigMaps of these namespaces: a,b or *; earlier ones take precedence', process.env['SLUICE_POLICY_CONFIGMAPS'])
    .option('--policy-selector <labels>', 'which ConfigMaps', process.env['SLUICE_POLICY_SELECTOR'] ?? 'sluice.dev/policy=true')
    .option('--catalog <file>', 'price catalog (default: the embedded one)', process.env['SLUICE_CATALOG'])
    .option('--catalog-source <source>', 'price list (file or URL) to import into --catalog on a schedule')
    .option('--catalog-interval <hours>', 'hours between two imports', '24')
    .option('--listen <address>', 'unix:/path or host:port for Envoy', process.env['SLUICE_LISTEN'] ?? 'unix:/tmp/sluice.sock')
    .option('--admin <host:port>', 'admin server: metrics, health, decisions', process.env['SLUICE_ADMIN'] ?? '127.0.0.1:9901')
    .option('--log <path>', 'where the JSON lines go: a file, or - for stdout', '-')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent', 'info')
    .option('--grace <seconds>', 'longest drain on SIGTERM', '30')
    .action(async (flags: ServeFlags) => {
      const hours = Number(flags.catalogInterval);
      const grace = Number(flags.grace);
      if (!(hours > 0)) throw new SluiceError('SLUICE_CLI_USAGE', 'the interval is no number of hours above 0.', { where: '--catalog-interval' });
      if (!(grace >= 0)) throw new SluiceError('SLUICE_CLI_USAGE', 'the grace is no number of seconds.', { where: '--grace' });
      const configMaps = flags.policyConfigmaps === undefined ? null : { namespaces: namespacesOf(flags.policyConfigmaps), labelSelector: flags.policySelector };
      if (configMaps !== null && flags.policy !== undefined) throw new SluiceError('SLUICE_CLI_USAGE', 'a policy is in files or in ConfigMaps, not in both.', { where: '--policy-configmaps' });
      const { startSluice } = await import('../main.ts');
      const sluice = await startSluice({
        policy: flags.policy ?? null,
        policyConfigMaps: configMaps,
        catalog: flags.catalog ?? null,
        catalogSource: flags.catalogSource ?? null,
        catalogIntervalMs: hours * 3_600_000,
        listen: flags.listen,
        admin: flags.admin,
        log: flags.log,
        logLevel: flags.logLevel,
      });
      let closing = false;
      const stop = (): void => {
        if (closing) return;
        closing = true;
        void sluice.close(grace * 1000).then(() => process.exit(0));
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
    });
}

/** Namespaces of `a,b`; none of `*`, which is all of them. */
function namespacesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.length === 1 && names[0] === '*') return [];
  if (names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) return names;
  throw new SluiceError('SLUICE_CLI_USAGE', `${text} is no list of namespaces.`, { where: '--policy-configmaps', fix: 'Write a,b or *.' });
}
