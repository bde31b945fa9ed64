import { parentPort, workerData } from 'node:worker_threads';
import { embeddingHeads } from './heads.ts';
import { checkWeights, SentenceModel } from './session.ts';
import type { FromEmbedding, ToEmbedding } from './thread.ts';

/** The thread of the sentence model: prompts in, what their vectors add to the text model's outputs out. One prompt at a time. */
const port = parentPort!;
const { folder } = workerData as { readonly folder: string };
const say = (message: FromEmbedding): void => port.postMessage(message);

/** A function, since the build makes scripts, which cannot wait at their top level. What it throws ends the thread with an error. */
async function start(): Promise<void> {
  const heads = embeddingHeads();
  await checkWeights(folder, heads.document.weights);
  const model = await SentenceModel.open(folder);
  // The first run of a session takes longer.
  await model.embed('Which is the capital of France?');
  let last: Promise<void> = Promise.resolve();
  port.on('message', ({ number, prompt }: ToEmbedding) => {
    last = last.then(async () => {
      try {
        say({ kind: 'done', number, addition: heads.add(await model.embed(prompt)) });
      } catch {
        say({ kind: 'done', number, addition: null });
      }
    });
  });
  say({ kind: 'ready' });
}

void start();
