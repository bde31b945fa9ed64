import { parentPort } from 'node:worker_threads';
import type { ToReader } from './reader-thread.ts';
import { readForThread } from './reader-thread.ts';

/** The thread that reads large policies for PolicyCompiler. */
const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');

const answer = readForThread();
port.on('message', (message: ToReader) => {
  const reply = answer(message);
  if (reply !== null) port.postMessage(reply);
});
