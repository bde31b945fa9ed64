import { request as httpsRequest } from 'node:https';
import { Client, credentials } from '@grpc/grpc-js';
import { reasonOf } from '../lib/errors.ts';
import { WireWriter } from '../extproc/wire.ts';

/** Whether a decision was made, and the message for the user. */
export interface ProbeResult {
  readonly ok: boolean;
  readonly said: string;
}

/** Maximum time to wait for an answer, in ms. */
const probeMs = 15_000;

const path = '/v1/chat/completions';
const body = (model: string): string => JSON.stringify({ model, max_tokens: 1, messages: [{ role: 'user', content: 'ping' }] });

/**
 * Sends a chat request of one output token through Envoy and looks for Sluice's decision on it. The provider's answer does not matter; no
 * key is sent. Never rejects.
 */
export async function probeGateway(gateway: URL, model: string): Promise<ProbeResult> {
  try {
    const response = await fetch(new URL(path, gateway), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body(model),
      signal: AbortSignal.timeout(probeMs),
    });
    await response.arrayBuffer();
    const decision = response.headers.get('x-sluice-decision');
    if (decision === null && response.headers.get('x-sluice-reason') === policyOff) return undecided;
    return decision === null
      ? { ok: false, said: `no decision: ${gateway.origin} answered ${response.status} without Sluice` }
      : { ok: true, said: `decision ${decision}, answered with ${response.status}` };
  } catch (error) {
    return { ok: false, said: `no decision: ${gateway.origin}: ${reasonOf(error)}` };
  }
}

/** The reason that Sluice gives where its policy switches it off, as before there is any policy. */
const policyOff = 'policy-off';
const undecided: ProbeResult = { ok: true, said: 'Sluice answers, and decides nothing: there is no policy, or its mode is off' };

/** Calls an external processor at `host:port` as Envoy does: nothing is sent to a provider. Never rejects. */
export function probeProcessor(address: string, model: string): Promise<ProbeResult> {
  const client = new Client(address, credentials.createInsecure());
  return new Promise<ProbeResult>((resolve) => {
    const call = client.makeBidiStreamRequest(
      '/envoy.service.ext_proc.v3.ExternalProcessor/Process',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      { deadline: Date.now() + probeMs },
    );
    let replies = '';
    call.on('data', (bytes: Buffer) => {
      replies += bytes.toString('latin1');
      // The decision's id is in the reply's metadata.
      const decision = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/.exec(replies)?.[0];
      if (decision === undefined && !replies.includes(policyOff)) return;
      resolve(decision === undefined ? undecided : { ok: true, said: `decision ${decision}` });
      call.cancel();
    });
    call.on('error', (error: Error) => resolve({ ok: false, said: `no decision: ${address}: ${error.message}` }));
    call.on('end', () => resolve({ ok: false, said: `no decision: ${address} ended the stream without one` }));
    for (const message of requestMessages(model)) call.write(message);
  }).finally(() => client.close());
}

/** A request's headers and body as ProcessingRequests. */
function requestMessages(model: string): Buffer[] {
  const headers = [
    [':method', 'POST'],
    [':path', path],
    [':authority', 'api.openai.com'],
    [':scheme', 'https'],
    ['content-type', 'application/json'],
  ] as const;
  const writer = new WireWriter();
  const message = (write: () => void): Buffer => {
    writer.begin();
    write();
    return Buffer.concat(writer.finish());
  };
  return [
    message(() => {
      for (const [name, value] of headers.toReversed()) {
        const end = writer.length;
        writer.bytes(3, Buffer.from(value));
        writer.string(1, name);
        writer.message(1, end);
      }
      writer.message(1, 0);
      writer.message(2, 0);
    }),
    message(() => {
      writer.varint(2, 1);
      writer.bytes(1, Buffer.from(body(model)));
      writer.message(4, 0);
    }),
  ];
}

/** Calls the webhook that injects gateways into pods, as the API server does, to see what it would add to a pod. Never rejects. */
export function probeWebhook(url: URL): Promise<ProbeResult> {
  const review = JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'probe', operation: 'CREATE', namespace: 'default', dryRun: true, object: { spec: { containers: [{ name: 'app' }] } } },
  });
  return new Promise((resolve) => {
    const failed = (why: string): void => resolve({ ok: false, said: `no answer of the webhook at ${url.href}: ${why}` });
    // The API server verifies the certificate; here only the answer matters.
    const call = httpsRequest(url, { method: 'POST', rejectUnauthorized: false, timeout: probeMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () =>
        response.statusCode === 200 && text.includes('"patch":"')
          ? resolve({ ok: true, said: 'the webhook would put a gateway into a pod' })
          : failed(`${response.statusCode ?? 0} ${text.slice(0, 200)}`),
      );
    });
    call.on('timeout', () => call.destroy(new Error('it did not answer in time')));
    call.on('error', (error) => failed(error.message));
    call.end(review);
  });
}
