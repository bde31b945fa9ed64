import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tools = fileURLToPath(new URL('../../../.tools/', import.meta.url));
const complete = existsSync(join(tools, 'crds/.complete'));

/** Custom resource definitions as `scripts/definitions.sh` puts them; null when they are not there. */
export function definitionsOf(what: 'envoy-gateway' | 'istio' | 'kgateway' | 'prometheus-operator' | 'cert-manager'): string | null {
  const folder = join(tools, 'crds', what);
  return complete && existsSync(folder) ? folder : null;
}

/** Envoy Gateway's chart, from there too. */
export function envoyGatewayChart(): string | null {
  const folder = join(tools, 'charts/gateway-helm');
  return complete && existsSync(folder) ? folder : null;
}

/** For the name of tests that are skipped without them. */
export const noDefinitions = complete ? '' : ' (skipped: no definitions; scripts/definitions.sh fetches them with Go)';
