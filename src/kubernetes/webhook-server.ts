import { lookup } from 'node:dns/promises';
import { readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { hostAndPort } from '../lib/address.ts';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { readReview, writeReview, type AdmissionAnswer, type AdmissionRequest } from './admission.ts';
import { injectBaseUrl, injectNames, type EgressOptions } from './egress.ts';
import { injectSidecar, readSidecarTemplate } from './sidecar.ts';
import { validatePolicy, type PolicyChecks } from './validate-policy.ts';
import { messageOf } from '../lib/message-of.ts';

export interface WebhookOptions {
  /** `host:port`; port 0 selects a free port. */
  readonly listen: string;
  /** Folder with tls.crt and tls.key; both may be replaced at any time. */
  readonly tls: string;
  /** Null if policies are not in ConfigMaps: /validate answers 404. */
  readonly policy: PolicyChecks | null;
  /** Null if pods are not changed. `service`: host name of the gateway, resolved when a pod is created. */
  readonly egress: (EgressOptions & { readonly service: string }) | null;
  /** Template file for pods that ask for their own gateway; null to disable. */
  readonly sidecar: string | null;
  readonly onError: (failure: string) => void;
  /** Called for every pod that was asked about for the first time. */
  readonly onPod?: (mode: string, result: string) => void;
}

export interface WebhookServer {
  /** `host:port` as bound. */
  readonly address: string;
  close(): Promise<void>;
}

/** Interval of checks of the certificate, in ms. */
const certificateMs = 2_000;

/** The admission webhooks that the API server calls. Rejects with SLUICE_WEBHOOK_TLS or SLUICE_LISTEN. */
export async function startWebhooks(options: WebhookOptions): Promise<WebhookServer> {
  const server = createServer(readCertificate(options.tls), (request, response) => {
    void respond(options, request, response);
  });
  server.maxConnections = 256;
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  const { host, port } = hostAndPort(options.listen, '--webhook');
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new SluiceError('SLUICE_LISTEN', error.message, { where: options.listen, cause: error })));
    server.listen(port, host, resolve);
  });
  let signature = signatureOf(options.tls);
  const renew = setInterval(() => {
    const now = signatureOf(options.tls);
    if (now === signature || now === '') return;
    try {
      server.setSecureContext(readCertificate(options.tls));
      signature = now;
    } catch (error) {
      // Between two renames key and certificate may not match: the next check sees both.
      options.onError(messageOf(error));
    }
  }, certificateMs);
  renew.unref();
  const bound = server.address() as AddressInfo;
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        clearInterval(renew);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readCertificate(folder: string): { cert: Buffer; key: Buffer } {
  try {
    return { cert: readFileSync(join(folder, 'tls.crt')), key: readFileSync(join(folder, 'tls.key')) };
  } catch (error) {
    throw new SluiceError('SLUICE_WEBHOOK_TLS', messageOf(error), { where: folder, cause: error });
  }
}

function signatureOf(folder: string): string {
  try {
    return ['tls.crt', 'tls.key']
      .map((name) => statSync(join(folder, name), { bigint: true }))
      .map(({ ino, mtimeNs, size }) => `${ino} ${mtimeNs} ${size}`)
      .join(' ');
  } catch {
    return '';
  }
}

async function respond(options: WebhookOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, body: string): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  try {
    if (request.url === '/healthz') return send(200, '{"status":"ok"}');
    const path = (request.url ?? '').replace(/\?.*$/, '');
    const answer = handlerOf(options, path);
    if (answer === null || request.method !== 'POST') return send(404, '{"error":"no such webhook"}');
    const text = await readBody(request);
    const review = text === null ? null : readReview(text);
    if (review === null) return send(400, '{"error":"this is no AdmissionReview"}');
    const decided = await answer(review);
    if (decided.egress !== undefined && review.dryRun !== true) options.onPod?.(decided.egress.mode, decided.egress.result);
    send(200, writeReview(review.uid, decided));
  } catch (error) {
    options.onError(messageOf(error));
    // The webhook configuration's failurePolicy decides the effect.
    send(500, '{"error":"internal"}');
  }
}

type Handler = (request: AdmissionRequest) => AdmissionAnswer | Promise<AdmissionAnswer>;

function handlerOf({ policy, egress, sidecar }: WebhookOptions, path: string): Handler | null {
  if (path === '/validate' && policy !== null) return (request) => validatePolicy(request, policy);
  if (path === '/mutate/sidecar' && sidecar !== null) return async (request) => injectSidecar(request, await readSidecarTemplate(sidecar));
  if (path === '/mutate/base-url' && egress !== null) return (request) => injectBaseUrl(request, egress);
  if (path === '/mutate/names' && egress?.names != null)
    return async (request) => {
      const found = await lookup(egress.service, { all: true, order: 'ipv4first' });
      return injectNames(
        request,
        egress,
        found.map(({ address }) => address),
      );
    };
  return null;
}

async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > limits.admissionBytes) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
