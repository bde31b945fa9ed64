import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../src/demo/stack.ts';
import { root } from '../processes.ts';
import type { Stage } from '../stage.ts';

const folder = join(root, '.tools/peers');

function installed(path: string): string {
  const file = join(folder, path);
  if (!existsSync(file)) throw new Error(`${file} is not there: npm run bench -- peers installs it`);
  return file;
}

/** LiteLLM's proxy, one worker, no database, no keys: it takes any caller and has one model. */
export async function startLiteLlm(stage: Stage, upstream: string): Promise<{ readonly port: number; readonly pid: number }> {
  const [port] = await freePorts(1);
  const config = join(stage.folder, 'litellm.json');
  writeFileSync(
    config,
    JSON.stringify({
      model_list: [{ model_name: 'gpt-5.1', litellm_params: { model: 'openai/gpt-5.1', api_base: upstream, api_key: 'sk-bench' } }],
      litellm_settings: { telemetry: false },
    }),
  );
  const child = stage.children.start(
    installed('litellm/bin/python'),
    [
      installed('litellm/bin/litellm'),
      '--config',
      config,
      '--host',
      '127.0.0.1',
      '--port',
      String(port!),
      '--num_workers',
      '1',
      '--telemetry',
      'False',
    ],
    { LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY: 'true', LITELLM_LOCAL_MODEL_COST_MAP: 'True', LITELLM_LOG: 'ERROR' },
  );
  // Its log is discarded, but must be read, or the process would block.
  child.stdout?.resume();
  await stage.children.untilReady(`http://127.0.0.1:${port!}/health/liveliness`);
  return { port: port!, pid: child.pid! };
}

/** Portkey's gateway; request headers select the target. */
export async function startPortkey(stage: Stage): Promise<{ readonly port: number; readonly pid: number }> {
  const [port] = await freePorts(1);
  const child = stage.children.start(
    process.execPath,
    [installed('portkey/node_modules/@portkey-ai/gateway/build/start-server.js'), `--port=${port!}`, '--headless'],
    { NODE_ENV: 'production' },
  );
  child.stdout?.resume();
  await stage.children.untilReady(`http://127.0.0.1:${port!}/`);
  return { port: port!, pid: child.pid! };
}
