import { createHash } from 'node:crypto';
import type { RedisClient } from './connect.ts';

/** A Lua script and its hash, by which a server that has seen it can run it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Runs a script, by its hash if the server knows it. `callBuffer` returns bytes, `call` texts. Rejects like the client. */
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
