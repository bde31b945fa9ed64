import { parseArgs } from 'node:util';
import { flapDrill } from './fallback/flap.ts';

/** Many clients while providers flap at random, on a real Envoy. Usage: npm run drill -- flap [--clients 200] [--seconds 60] [--seed 1] */
const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const report = await flapDrill({ clients: Number(values.clients), seconds: Number(values.seconds), seed: Number(values.seed) });
process.stdout.write(
  `${report.sent} requests in ${values.seconds} s by ${values.clients} clients, ${report.attempts} attempts at providers: ${report.answered} answered (${report.byFallback} of them by a fallback), ` +
    `${report.cut} streams cut by their provider after the first words, ${report.undecided} passed undecided, ${report.violations.length} violations\n${report.violations.map((violation) => `✗ ${violation}\n`).join('')}`,
);
process.exit(report.violations.length === 0 ? 0 : 1);
