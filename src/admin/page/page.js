import { redraw } from '/page/charts.js';
import { decisions, startDecisions } from '/page/decisions.js';
import { explain, startExplain } from '/page/explain.js';
import { by, say } from '/page/format.js';
import { learning } from '/page/learning.js';
import { policy } from '/page/policy.js';
import { recent } from '/page/recent.js';
import { every } from '/page/server.js';
import { sums } from '/page/sums.js';
import { startTheme } from '/page/theme.js';
import { budgets, limits, trials } from '/page/trials.js';
import { startTry } from '/page/try.js';
import { current, onChange, startView } from '/page/view.js';

const liveMs = 2_000;
const policyMs = 5_000;
const sumsMs = 15_000;

let answeredAt = new Date();

/** Figures that nobody answers for any more stay, and say how old they are. */
function failed(error) {
  // Of a lost connection, browsers only say "Failed to fetch", of one without an answer "signal timed out".
  say('state', `The server does not answer${error instanceof TypeError || error.name === 'TimeoutError' ? '' : `: ${error.message}`}`);
  by('state').className = 'bad';
  by('stale').hidden = false;
  say('stale', `The server does not answer. What is below is of ${answeredAt.toISOString().slice(0, 19).replace('T', ' ')} UTC.`);
  document.body.classList.add('stale');
}

function answered() {
  answeredAt = new Date();
  by('stale').hidden = true;
  document.body.classList.remove('stale');
}

startView();
startTheme(redraw);
startDecisions();
startExplain();
startTry();
onChange(() => {
  void sums().catch(failed);
  void recent().catch(failed);
});
// A link may name a decision.
if (current().decision !== null) void explain(current().decision);
const turn = (ms, work) => every(ms, work, failed, answered);
turn(liveMs, decisions);
turn(policyMs, policy);
turn(policyMs, recent);
turn(policyMs, trials);
turn(policyMs, budgets);
turn(policyMs, limits);
turn(policyMs, learning);
turn(sumsMs, sums);
