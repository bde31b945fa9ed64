import { request } from 'node:http';
import { readFileSync } from 'node:fs';
import { createServer, request as secure, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestCluster } from './cluster.ts';

/**
 * Proxy for a real API server without nodes: answers `pods/proxy` like a server that reaches the pod's address (which must
 * not be loopback), by calling the address registered for the pod, after the API server has authorised the caller.
 */
export class PodsProxy {
  readonly #server: Server;
  readonly #addresses = new Map<string, string>();

  constructor(cluster: TestCluster) {
    const [ca, cert, key] = ['ca.crt', 'apiserver.crt', 'apiserver.key'].map((name) => readFileSync(join(cluster.folder, 'pki', name)));
    const api = (method: string, path: string, headers: object, body?: string): Promise<{ status: number; type: string; text: string }> =>
      new Promise((resolve, reject) => {
        const call = secure(
          new URL(path, cluster.server),
          { method, ca, headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) } },
          (answer) => {
            let text = '';
            answer.setEncoding('utf8');
            answer.on('data', (chunk: string) => (text += chunk));
            answer.on('end', () => resolve({ status: answer.statusCode ?? 500, type: answer.headers['content-type'] ?? '', text }));
          },
        );
        call.on('error', reject);
        call.end(body);
      });
    this.#server = createServer({ cert, key }, (incoming, response) => {
      const path = incoming.url ?? '/';
      const headers = { authorization: incoming.headers.authorization ?? '', accept: 'application/json' };
      const pod = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/:]+)(?::|%3A)(\d+)\/proxy\/(.*)$/.exec(path);
      void (async () => {
        if (pod === null) {
          const { status, type, text } = await api(incoming.method ?? 'GET', path, headers);
          response.writeHead(status, { 'content-type': type });
          response.end(text);
          return;
        }
        const review = {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: { resourceAttributes: { namespace: pod[1], verb: 'get', resource: 'pods', subresource: 'proxy', name: pod[2] } },
        };
        const { text } = await api(
          'POST',
          '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
          { ...headers, 'content-type': 'application/json' },
          JSON.stringify(review),
        );
        const address = this.#addresses.get(`${pod[2]!}:${pod[3]!}`);
        if ((JSON.parse(text) as { status?: { allowed?: boolean } }).status?.allowed !== true || address === undefined) {
          const code = address === undefined ? 503 : 403;
          response.writeHead(code, { 'content-type': 'application/json' });
          response.end(
            JSON.stringify({
              kind: 'Status',
              status: 'Failure',
              message: address === undefined ? 'error trying to reach service: dial tcp: connection refused' : 'pods "x" is forbidden',
              code,
            }),
          );
          return;
        }
        request(`http://${address}/${pod[4]!}`, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        }).end();
      })().catch(() => response.destroy());
    });
  }

  /** `address`: what answers for a port of a pod. */
  stand(pod: string, port: number, address: string): void {
    this.#addresses.set(`${pod}:${port}`, address);
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
