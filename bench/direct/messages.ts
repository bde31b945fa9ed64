import { usageHeader } from '../../src/attach/names.ts';
import { bytesField, encodeParts, messageField, stringField, varintField, type Part } from './parts.ts';

/** What Envoy 1.40 sends for one JSON request and its answer, field by field as it was captured on the socket. */

/** Stands in the templates where a decision's id goes. */
export const idPlaceholder = '00000000-0000-0000-0000-000000000000';
/** Stands in a request's body where its number goes, so that no two bodies are alike. */
export const countPlaceholder = '#000000000000';

const headers = (pairs: readonly (readonly [string, string])[]): Part =>
  messageField(
    1,
    pairs.map(([name, value]) => messageField(1, [stringField(1, name), bytesField(3, Buffer.from(value))])),
  );

/** The fields that Envoy leaves empty. */
const emptyMetadata = messageField(8, []);

/** ProcessingRequest{request_headers} of an Envoy that has collected answers brought by its access log. */
export function requestHeaders(bodyBytes: number): Buffer {
  const pairs: (readonly [string, string])[] = [
    [':authority', '127.0.0.1:10000'],
    [':path', '/v1/chat/completions'],
    [':method', 'POST'],
    [':scheme', 'http'],
    ['content-type', 'application/json'],
    ['authorization', 'Bearer sk-bench'],
    ['accept', 'application/json'],
    ['user-agent', 'OpenAI/JS 6.49.0'],
    ['accept-encoding', 'gzip, deflate'],
    ['content-length', String(bodyBytes)],
    ['x-forwarded-for', '192.0.2.2'],
    ['x-forwarded-proto', 'http'],
    ['x-envoy-external-address', '192.0.2.2'],
    ['x-request-id', '22a5adb1-f78b-4ac5-a19c-e1d899f82952'],
    [usageHeader, 'collect'],
  ];
  return encodeParts([messageField(2, [headers(pairs)]), emptyMetadata, messageField(11, [])]);
}

/** ProcessingRequest{request_body}. */
export function requestBody(body: Buffer): Buffer {
  return encodeParts([messageField(4, [bytesField(1, body), varintField(2, 1)]), emptyMetadata]);
}

const entry = (name: string, value: string): Part => messageField(1, [stringField(1, name), messageField(2, [stringField(3, value)])]);
const metadata = messageField(8, [
  messageField(1, [
    stringField(1, 'sluice'),
    messageField(2, [
      entry('model', 'gpt-5-nano'),
      entry('attempts', '1'),
      entry('requested_model', 'gpt-5.1'),
      entry('reason', 'tier'),
      entry('id', idPlaceholder),
      entry('tier', 'simple'),
    ]),
  ]),
]);
const copied = varintField(10, 1);

const answer = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-5-nano',
    choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(600) }, finish_reason: 'stop' }],
    usage: {
      prompt_tokens: 250,
      completion_tokens: 60,
      total_tokens: 310,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  }),
);

/** google.protobuf.Timestamp or Duration. */
const time = (field: number, seconds: number, nanoseconds: number): Part =>
  messageField(field, [...(seconds === 0 ? [] : [varintField(1, seconds)]), varintField(2, nanoseconds)]);
const address = (field: number, port: number): Part =>
  messageField(field, [messageField(1, [stringField(2, '127.0.0.1'), varintField(3, port)])]);

/** LogEntries.log_entry: one exchange in the access log, with the answer that was collected. */
export function logEntry(): Buffer {
  const metadata = messageField(17, [
    messageField(1, [
      stringField(1, 'sluice'),
      messageField(2, [
        entry('model', 'gpt-5-nano'),
        entry('attempts', '1'),
        entry('requested_model', 'gpt-5.1'),
        entry('reason', 'tier'),
        entry('id', idPlaceholder),
        entry('tier', 'simple'),
        entry('answer', 'log'),
        entry('answer_tail', '16384'),
      ]),
    ]),
    messageField(1, [stringField(1, 'sluice.answer'), messageField(2, [entry('body', answer.toString('latin1'))])]),
  ]);
  const common = [
    address(2, 42_192),
    address(3, 17_355),
    time(5, 1_795_264_208, 384_000_000),
    ...[100_000, 34_000_000, 34_100_000, 44_000_000, 44_200_000, 44_300_000, 44_400_000].map((nanoseconds, index) =>
      time(6 + index, 0, nanoseconds),
    ),
    address(13, 33_143),
    address(14, 58_800),
    stringField(15, 'provider_openai'),
    metadata,
    stringField(26, '638666b5-4f4f-4632-89f9-84b3f8ee71ab'),
  ];
  const request = [
    varintField(1, 3),
    stringField(2, 'http'),
    stringField(3, '127.0.0.1'),
    stringField(5, '/v1/chat/completions'),
    stringField(6, 'OpenAI/JS 6.49.0'),
    stringField(8, '192.0.2.2'),
    stringField(9, '638666b5-4f4f-4632-89f9-84b3f8ee71ab'),
  ];
  const response = [
    messageField(1, [varintField(1, 200)]),
    varintField(2, 293),
    varintField(3, 937),
    messageField(4, [stringField(1, 'content-type'), stringField(2, 'application/json')]),
    stringField(6, 'via_upstream'),
  ];
  return encodeParts([messageField(1, [messageField(1, common), varintField(2, 2), messageField(3, request), messageField(4, response)])]);
}

/** StreamAccessLogsMessage{http_logs} of entries. */
export function logMessage(entries: Buffer): Buffer {
  return encodeParts([bytesField(2, entries)]);
}

/** The copies of the answer, where Sluice wants them: its headers, its body, its end. */
export function answerCopies(): Buffer[] {
  const pairs: (readonly [string, string])[] = [
    [':status', '200'],
    ['content-type', 'application/json'],
    ['content-length', String(answer.length)],
    ['date', 'Sat, 21 Nov 2026 11:56:28 GMT'],
    ['x-envoy-upstream-service-time', '5'],
    ['x-sluice-decision', idPlaceholder],
    ['x-sluice-model', 'gpt-5-nano'],
    ['x-sluice-requested-model', 'gpt-5.1'],
    ['x-sluice-tier', 'simple'],
    ['x-sluice-reason', 'tier'],
    ['x-sluice-attempts', '1'],
  ];
  return [
    encodeParts([messageField(3, [headers(pairs)]), metadata, copied]),
    encodeParts([messageField(5, [bytesField(1, answer)]), metadata, copied]),
    encodeParts([messageField(5, [varintField(2, 1)]), metadata, copied]),
  ];
}
