import { existsSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { parseArgs } from 'node:util';

/** Time-out of the question, in ms: below that of the probe. */
const askMs = 4_000;

/**
 * The start-up probe of a container beside an Envoy that can go on without it: exit 0 once Sluice has been ready (`--ready URL`), and from
 * then on for as long as the pod's volume exists (`--kept FILE`). So a container that is started again does not keep the pod out of its
 * Service while Sluice loads.
 */
const { values } = parseArgs({ options: { ready: { type: 'string', default: '' }, kept: { type: 'string', default: '' } } });
if (!existsSync(values.kept))
  get(values.ready, { timeout: askMs }, (answer) => {
    answer.resume();
    if (answer.statusCode === 200) writeFileSync(values.kept, '');
    else process.exitCode = 1;
  })
    .on('timeout', () => process.exit(1))
    .on('error', () => process.exit(1));
