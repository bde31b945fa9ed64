import { redraw } from '/page/charts.js';
import { decisions, startDecisions } from '/page/decisions.js';
import { startExplain } from '/page/explain.js';
import { by, say } from '/page/format.js';
import { policy } from '/page/policy.js';
import { recent } from '/page/recent.js';
import { every } from '/page/server.js';
import { sums } from '/page/sums.js';
import { startTheme } from '/page/theme.js';
import { budgets, limits, trials } from '/page/trials.js';
import { startTry } from '/page/try.js';

const liveMs = 2_000;
const policyMs = 5_000;
const sumsMs = 15_000;

function failed(error) {
  say('state', `The server does not answer: ${error.message}`);
  by('state').className = 'bad';
}

startTheme(redraw);
startDecisions();
startExplain();
startTry();
by('windows').addEventListener('change', () => void sums().catch(failed));
every(liveMs, decisions, failed);
every(policyMs, policy, failed);
every(policyMs, recent, failed);
every(policyMs, trials, failed);
every(policyMs, budgets, failed);
every(policyMs, limits, failed);
every(sumsMs, sums, failed);
