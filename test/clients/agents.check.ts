import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Clients, models, run, tools, type Ran } from './stack.ts';

const clients = new Clients();
beforeAll(() => clients.start());
afterAll(() => clients.stop());

/** A folder of its own, which is home and project. */
function home(name: string, files: Readonly<Record<string, string>> = {}): string {
  const folder = join(clients.folder, name);
  for (const [file, text] of Object.entries({ 'README.md': 'Nothing.', ...files })) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

const prompt = 'Reply with one sentence about networks.';
const bin = (name: string): string => `${tools}agents/node_modules/.bin/${name}`;

type Agent = (url: string) => Promise<Ran>;

const agents: Readonly<Record<string, { readonly from: string; readonly start: Agent }>> = {
  codex: {
    from: 'openai',
    start: (url) => {
      const provider = `{ name = "sluice", base_url = "${url}/v1", env_key = "APP_KEY", wire_api = "responses", request_max_retries = 0, stream_max_retries = 0 }`;
      const cwd = home('codex', { '.codex/config.toml': '' });
      const env = { HOME: cwd, CODEX_HOME: join(cwd, '.codex'), APP_KEY: 'app' };
      const settings = ['-c', 'model_provider="sluice"', '-c', `model_providers.sluice=${provider}`, '-m', models.openai];
      return run(bin('codex'), ['exec', '--skip-git-repo-check', ...settings, prompt], { cwd, env });
    },
  },
  'gemini-cli': {
    from: 'google',
    start: (url) => {
      const cwd = home('gemini', { '.gemini/settings.json': '{"security":{"auth":{"selectedType":"gemini-api-key"}}}' });
      const env = {
        HOME: cwd,
        GEMINI_API_KEY: 'app',
        GOOGLE_GEMINI_BASE_URL: url,
        GEMINI_CLI_TRUST_WORKSPACE: 'true',
        GEMINI_TELEMETRY_ENABLED: 'false',
      };
      return run(bin('gemini'), ['-m', models.google, '-p', prompt], { cwd, env });
    },
  },
  opencode: {
    from: 'openai',
    start: (url) => {
      const provider = {
        npm: '@ai-sdk/openai-compatible',
        name: 'sluice',
        options: { baseURL: `${url}/v1`, apiKey: 'app' },
        models: { [models.openai]: { limit: { context: 100_000, output: 4_000 } } },
      };
      const config = { autoupdate: false, share: 'disabled', small_model: `sluice/${models.openai}`, provider: { sluice: provider } };
      const cwd = home('opencode', { 'opencode.json': JSON.stringify(config) });
      const env = { HOME: cwd, XDG_DATA_HOME: join(cwd, 'data'), XDG_CONFIG_HOME: join(cwd, 'config'), OPENCODE_DISABLE_MODELS_FETCH: '1' };
      return run(bin('opencode'), ['run', '-m', `sluice/${models.openai}`, prompt], { cwd, env });
    },
  },
  aider: {
    from: 'openai',
    start: (url) => {
      const cwd = home('aider');
      const quiet = ['--no-git', '--yes-always', '--no-check-update', '--no-show-model-warnings', '--analytics-disable', '--no-pretty'];
      const env = { HOME: cwd, LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
      const model = ['--model', `openai/${models.openai}`, '--openai-api-base', `${url}/v1`, '--openai-api-key', 'app'];
      return run(`${tools}aider/bin/aider`, [...quiet, ...model, '--map-tokens', '0', '--message', prompt], { cwd, env });
    },
  },
};

it.each(Object.keys(agents))('%s answers a prompt through a translated chain', async (name) => {
  const { from, start } = agents[name]!;
  const before = new Set((await clients.records()).map(({ id }) => id));
  const { out, err, code } = await start(clients.stack.url);
  expect(`${out}\n${err}`.replaceAll(/\s+/g, ' '), `exit code ${String(code)}`).toContain(
    // The shortest of the simulator's answers; which one an agent gets depends on its prompt, and that on the folder's name.
    'Here is a short and plausible answer from',
  );
  const made = (await clients.records()).filter(({ id, requestedModel }) => !before.has(id) && requestedModel === models[from as 'openai']);
  expect(made.length).toBeGreaterThan(0);
  expect(made.map(({ outcome, decision }) => [outcome, decision?.requested.provider, decision?.served.provider, decision?.reason])).toEqual(
    made.map(() => ['complete', from, 'anthropic', 'tier']),
  );
});
