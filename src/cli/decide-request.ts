import { fileURLToPath } from 'node:url';
import { loadCatalog } from '../catalog/index.ts';
import { defaultModelFile, readModel } from '../router/model/file.ts';
import { SluiceError } from '../lib/errors.ts';
import { readBytesLater } from '../lib/read-file.ts';
import type { HeaderMap } from '../lib/headers.ts';
import { Credentials } from '../exchange/credentials.ts';
import { dryRun } from '../exchange/dry-run.ts';
import { defaultPolicyFile } from '../policy/source.ts';
import { FilePolicyStore } from '../policy/store.ts';
import type { ExchangeRecord } from '../record/types.ts';

export interface RequestToDecide {
  /** Path of the body's file. */
  readonly request: string;
  readonly policy?: string;
  readonly catalog?: string;
  /** Path of the learned router's file. */
  readonly model?: string;
  readonly path: string;
  readonly host: string;
  /** `name=value`. */
  readonly header: readonly string[];
}

/**
 * Runs a request file through the server's own pipeline, as if it came from Envoy, and returns the record. Nothing is sent. Keys of other
 * providers count as present if their files can be read here. Throws SluiceError, also if the request would pass undecided.
 */
export async function decideRequest(options: RequestToDecide): Promise<ExchangeRecord> {
  const body = await readBytesLater(options.request);
  const headers = headersOf(options, body.length);
  const policy = new FilePolicyStore({
    path: options.policy ?? fileURLToPath(defaultPolicyFile),
    catalog: await loadCatalog(options.catalog),
    watch: false,
  });
  const model = await readModel(options.model ?? defaultModelFile);
  const credentials = new Credentials();
  await credentials.refresh(policy.current());
  const { record, passed } = await dryRun({ generation: policy.current(), credentials, router: { current: () => model }, headers, body });
  await policy.close();
  if (record !== null) return record;
  throw new SluiceError('SLUICE_CLI_USAGE', `the server would pass this request on untouched: ${passed}.`, {
    where: options.request,
    fix: 'Check --path, --host and that the file holds a JSON request body.',
  });
}

function headersOf(options: RequestToDecide, length: number): HeaderMap {
  const headers = new Map([
    [':method', 'POST'],
    [':path', options.path],
    [':authority', options.host],
    ['content-type', 'application/json'],
    ['content-length', String(length)],
  ]);
  for (const header of options.header) {
    const equals = header.indexOf('=');
    if (equals < 1) throw new SluiceError('SLUICE_CLI_USAGE', `a header is name=value, not ${header}.`, { where: '--header' });
    headers.set(header.slice(0, equals).toLowerCase(), header.slice(equals + 1));
  }
  return { get: (name) => headers.get(name), entries: () => headers.entries() };
}
