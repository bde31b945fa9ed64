import { counted } from '../lib/counted.ts';
import { connect } from 'node:net';
import { bad, ok, type CheckResult, type SelfFacts } from './types.ts';

const mebibyte = 1024 * 1024;

/** Free bytes below which a disk is nearly full, and full. */
const [littleRoom, noRoom] = [1024 * mebibyte, 100 * mebibyte];

/** A certificate should be renewed this many days before it expires. */
const renewDays = 14;

/** Checks of Sluice's own facts: policy, keys, ledger, Redis, disks, certificates. `now`: ms since the epoch. */
export function sluiceChecks(facts: SelfFacts, now: number): CheckResult[] {
  return [
    facts.ready
      ? ok('sluice', `version ${facts.version} runs and is ready`)
      : bad('sluice', 'error', `version ${facts.version} runs and is not ready: it starts, drains, or knows no policy`, 'Look at its log.'),
    ...policyChecks(facts),
    ...keyChecks(facts),
    ledgerCheck(facts),
    ...facts.redis.map(({ use, up }) =>
      up
        ? ok('redis', `the Redis of --${use}-redis answers`)
        : bad(
            'redis',
            'error',
            `the Redis of --${use}-redis does not answer: ${use === 'cache' ? 'nothing is shared between replicas (cached answers, cool-downs, sessions)' : 'each replica counts budgets alone, and refuses nothing'}`,
            `Check that it runs, and the URL, password and CA of --${use}-redis.`,
          ),
    ),
    ...facts.disks.map(diskCheck),
    ...facts.certificates.map(({ file, until }) => certificateCheck(file, until, now)),
  ];
}

function policyChecks({ policy }: SelfFacts): CheckResult[] {
  const results: CheckResult[] = [];
  const [first] = policy.refused;
  if (policy.keptSince !== null)
    results.push(
      bad(
        'policy',
        'error',
        `the policy cannot be read; the one of ${policy.keptSince} is in force`,
        'Correct the policy or its source; `sluice validate PATH` says what is wrong.',
      ),
    );
  else if (first !== undefined)
    results.push(
      bad(
        'policy',
        'error',
        `the newest edit is refused, the policy before it is in force: ${first.file}:${first.line} ${first.message}`,
        first.fix || '`sluice validate PATH` shows the whole list.',
      ),
    );
  if (policy.embedded)
    results.push(
      bad(
        'policy',
        'warning',
        'no policy was given: the one that comes with Sluice decides in shadow mode, so that every request goes where its app sent it',
        'Start with --policy FILE.',
      ),
    );
  const modes = Object.values(policy.modes);
  const idle = (['shadow', 'off'] as const).flatMap((mode) => {
    const names = Object.entries(policy.modes)
      .filter(([, value]) => value === mode)
      .map(([name]) => name);
    return names.length === 0
      ? []
      : [
          bad(
            'policy',
            'warning',
            `${names.length === modes.length ? 'requests without a workspace' : `requests for ${names.join(', ')}`} keep their model: mode ${mode}`,
            'Say mode: enabled in the policy when routing shall begin.',
          ),
        ];
  });
  if (results.length === 0 && idle.length === 0) results.push(ok('policy', `${policy.hash} is in force`));
  return [...results, ...idle];
}

function keyChecks({ keys }: SelfFacts): CheckResult[] {
  if (keys.length === 0) return [ok('keys', "the policy names no keys of the gateway's own")];
  const whose = (providers: readonly string[]): string => (providers.length === 0 ? 'a section of the policy' : providers.join(', '));
  const results = keys.flatMap(({ file, providers, problem }) => {
    if (problem === 'none')
      return [
        bad(
          'keys',
          'error',
          `${file} cannot be read or is empty: nothing can be sent to ${whose(providers)} with the gateway's key`,
          'Put the key there, readable for the user of Sluice; it is taken within 5 s.',
        ),
      ];
    if (problem === 'resting')
      return [
        bad(
          'keys',
          'warning',
          `the key in ${file} (${whose(providers)}) rests: its provider limited or refused it`,
          'llm_proxy_gateway_key_problem_total says which; a refused key has to be replaced.',
        ),
      ];
    return [];
  });
  return results.length === 0 ? [ok('keys', `${keys.length} key file${keys.length === 1 ? '' : 's'} can be read`)] : results;
}

function ledgerCheck({ ledger }: SelfFacts): CheckResult {
  if (ledger === null) return bad('ledger', 'warning', 'no ledger is kept: no savings, no audit', 'Start without --ledger off.');
  const where = ledger.shared ? `${ledger.kind} ${ledger.place}` : ledger.place;
  if (ledger.error !== null)
    return bad(
      'ledger',
      'error',
      `${where} does not answer: ${ledger.error}`,
      ledger.shared
        ? 'Check the database, the network and the password; records wait in memory meanwhile.'
        : 'Check the file, its permissions and the disk.',
    );
  if (ledger.dropped > 0)
    return bad(
      'ledger',
      'error',
      `${where} answers; ${counted(ledger.dropped, 'record')} lost since the start`,
      'It could not be written for too long. The gap is noted in the ledger; look at the log for why.',
    );
  if (ledger.failures > 0 && ledger.waiting > 0)
    return bad(
      'ledger',
      'error',
      `${where} cannot be written: ${counted(ledger.waiting, 'record')} waiting`,
      'Look at the log; the disk may be full, or the user may not write.',
    );
  return ok('ledger', `${where} answers`);
}

function diskCheck({ path, freeBytes }: SelfFacts['disks'][number]): CheckResult {
  if (freeBytes === null) return bad('disk', 'error', `${path} is not there`, 'Make the folder, or name another.');
  const free = `${path} has room for ${freeBytes >= 1024 * mebibyte ? `${(freeBytes / 1024 / mebibyte).toFixed(1)} GiB` : `${Math.floor(freeBytes / mebibyte)} MiB`}`;
  if (freeBytes < noRoom)
    return bad('disk', 'error', free, 'Free some: the ledger, budgets and the log are about to lose what they are told.');
  return freeBytes < littleRoom ? bad('disk', 'warning', free, 'Free some, or lower --ledger-retention.') : ok('disk', free);
}

/** `until`: ISO 8601; null if it cannot be read. */
export function certificateCheck(file: string, until: string | null, now: number): CheckResult {
  if (until === null) return bad('certificate', 'error', `${file} cannot be read`, 'Put a PEM certificate there.');
  const days = Math.floor((Date.parse(until) - now) / 86_400_000);
  if (days < 0)
    return bad('certificate', 'error', `${file} has ended on ${until.slice(0, 10)}`, 'Renew it; a new file is taken without a restart.');
  return days < renewDays
    ? bad('certificate', 'warning', `${file} ends on ${until.slice(0, 10)}, in ${counted(days, 'day')}`, 'Renew it.')
    : ok('certificate', `${file} holds until ${until.slice(0, 10)}`);
}

/** Whether something accepts connections at Sluice's address; null if this machine cannot tell. */
export async function listens(address: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = address.startsWith('unix:')
      ? connect(address.slice('unix:'.length))
      : connect(Number(address.slice(address.lastIndexOf(':') + 1)), address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, ''));
    socket.setTimeout(2_000, () => end('it does not answer'));
    socket.once('connect', () => end(null));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ENOENT' ? 'there is no such socket' : error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.message),
    );
    function end(reason: string | null): void {
      socket.destroy();
      resolve(reason);
    }
  });
}
