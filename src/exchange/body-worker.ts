import { parentPort } from 'node:worker_threads';
import { readHere, type FromThread, type ReadJob } from './body-reader.ts';

/** The thread that reads large bodies for BodyReader. */
const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');

port.on('message', ({ number, recognition, memory, offset, length, wish }: ReadJob) => {
  const { read, members, inspection, masked } = readHere(recognition, Buffer.from(memory, offset, length), wish);
  port.postMessage({ kind: 'read', number, read, memory, members, inspection, masked } satisfies FromThread, [memory]);
});
port.postMessage({ kind: 'ready' } satisfies FromThread);
