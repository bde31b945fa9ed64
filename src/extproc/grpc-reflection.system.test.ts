import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findTool, missing } from '../../test/kubernetes/support/tools.ts';
import { GrpcTransport } from './grpc-transport.ts';
import type { Services } from './types.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-reflection-'));
const socket = join(folder, 's.sock');
const onSocket = new GrpcTransport();
const onTcp = new GrpcTransport();
const services: Services = {
  process: () => ({ message: () => undefined, closed: () => undefined }),
  logged: () => undefined,
  awaitsLog: () => false,
  told: () => undefined,
};
let address: string;

beforeAll(async () => {
  await onSocket.listen(`unix:${socket}`, services);
  address = await onTcp.listen('127.0.0.1:0', services);
});

afterAll(async () => {
  await onSocket.drain(0);
  await onTcp.drain(0);
  rmSync(folder, { recursive: true });
});

const own = ['envoy.service.accesslog.v3.AccessLogService', 'envoy.service.ext_proc.v3.ExternalProcessor', 'grpc.health.v1.Health'];

interface Reflected {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
}

/** One question to the reflection service. */
function ask(question: object): Promise<Reflected> {
  const main = createRequire(import.meta.url).resolve('@grpc/reflection');
  const definition = loadSync(join(dirname(main), '../proto/grpc/reflection/v1/reflection.proto'), { keepCase: true });
  const method = (definition['grpc.reflection.v1.ServerReflection'] as Record<string, MethodDefinition<object, Reflected>>)[
    'ServerReflectionInfo'
  ]!;
  const client = new Client(address, credentials.createInsecure());
  return new Promise<Reflected>((resolve, reject) => {
    const call = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
    call.on('data', resolve);
    call.on('error', reject);
    call.write(question);
    call.end();
  }).finally(() => client.close());
}

describe('server reflection', () => {
  it('lists the services and describes their messages', async () => {
    const { list_services_response: list } = await ask({ list_services: '' });
    expect(list!.service.map(({ name }) => name)).toEqual(expect.arrayContaining(own));
    const { file_descriptor_response: file } = await ask({ file_containing_symbol: 'envoy.service.ext_proc.v3.ProcessingRequest' });
    const bytes = Buffer.concat(file!.file_descriptor_proto.map((each) => Buffer.from(each)));
    expect(bytes.includes('request_headers') || bytes.includes('requestHeaders')).toBe(true);
  });

  it.skipIf(findTool('grpcurl') === null)(`is what grpcurl reads, on TCP and on a Unix socket${missing('grpcurl')}`, async () => {
    const grpcurl = async (...args: readonly string[]): Promise<string> =>
      (await promisify(execFile)(findTool('grpcurl')!, ['-plaintext', ...args])).stdout;
    for (const target of [[address], ['-unix', socket]]) {
      const lines = (await grpcurl(...target, 'list')).trim().split('\n');
      expect(lines).toEqual(expect.arrayContaining(own));
      expect(await grpcurl(...target, 'describe', own[1]!)).toContain(
        'rpc Process ( stream .envoy.service.ext_proc.v3.ProcessingRequest ) returns ( stream .envoy.service.ext_proc.v3.ProcessingResponse )',
      );
      expect(JSON.parse(await grpcurl(...target, 'grpc.health.v1.Health/Check'))).toEqual({ status: 'SERVING' });
    }
  });
});
