import { createHash } from 'node:crypto';
import type { RedisClient } from './connect.ts';

/** A Lua script and the name by which a server that has seen it knows it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Runs a script, by its name where the server knows it. `callBuffer` gives bytes, `call` texts. Rejects as the client does. */
export async function runScript(
  client: RedisClient,
  call: 'call' | 'callBuffer',
  { sha, text }: Script,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Promise<unknown> {
  try {
    return await client[call]('EVALSHA', [sha, keys.length, ...keys, ...args]);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client[call]('EVAL', [text, keys.length, ...keys, ...args]);
  }
}
