import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A provider that answers at once, with a stream of 256 KB where `x-slow-reader` says so. Prints its port. */
const answerBytes = 256 * 1_024;
const usage = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 };
const event = (content: string, more: object = {}): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-5-nano', choices: [{ index: 0, delta: { content }, finish_reason: null }], ...more })}\n\n`;
const large = Buffer.from(`${event('x'.repeat(2_048)).repeat(answerBytes / 2_048)}${event('', { usage })}data: [DONE]\n\n`);
const small = Buffer.from(
  JSON.stringify({
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-5-nano',
    choices: [{ index: 0, message: { role: 'assistant', content: 'An answer.' }, finish_reason: 'stop' }],
    usage,
  }),
);

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => {
    const slow = request.headers['x-slow-reader'] !== undefined;
    response.writeHead(200, { 'content-type': slow ? 'text/event-stream' : 'application/json' });
    response.end(slow ? large : small);
  });
});
server.keepAliveTimeout = 3_600_000;
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
