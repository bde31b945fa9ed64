import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A provider that answers at once: OpenAI JSON with usage, or 50 SSE chunks when the path ends in `sse`. Prints its port. */
const usage = {
  prompt_tokens: 250,
  completion_tokens: 60,
  total_tokens: 310,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
};
const answer = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-5-nano',
    choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(600) }, finish_reason: 'stop' }],
    usage,
  }),
);
const chunk = (delta: object, finish: string | null, more: object = {}): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-nano', choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`;
const events = [
  // Each word is the time at which its chunk was sent.
  ...Array.from({ length: 48 }, () => chunk({ content: 'at ' }, null)),
  chunk({}, 'stop', { usage }),
  'data: [DONE]\n\n',
];

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    if (request.headers['x-bench-sse'] === undefined) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
      response.end(answer);
      return;
    }
    const gap = Number(request.headers['x-bench-gap'] ?? 0);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let next = 0;
    const send = (): void => {
      if (next >= events.length) {
        response.end();
        return;
      }
      response.write(events[next++]!.replace('"at "', `"at ${process.hrtime.bigint()}"`));
      if (gap > 0) setTimeout(send, gap);
      else setImmediate(send);
    };
    send();
  });
});
server.keepAliveTimeout = 3_600_000;
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
