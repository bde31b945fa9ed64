import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { repaired } from './grpc-descriptors.ts';

export const processorName = 'envoy.service.ext_proc.v3.ExternalProcessor';
const accessLogName = 'envoy.service.accesslog.v3.AccessLogService';

/** The services of this server, from the definitions in `proto/`. */
export interface LoadedServices {
  readonly processor: ServiceDefinition;
  readonly accessLog: ServiceDefinition;
  /** All services and their messages, for server reflection. */
  readonly all: PackageDefinition;
}

const identity = (bytes: Buffer): Buffer => bytes;

/** Reads the definitions. Throws if a file is missing. */
export function loadServices(): LoadedServices {
  const files = ['external_processor', 'access_log'].map((name) => fileURLToPath(new URL(`../../proto/${name}.proto`, import.meta.url)));
  const all = loadSync([...files, healthProto]);
  return { processor: ofBytes(all, processorName), accessLog: ofBytes(all, accessLogName), all: repaired(all) };
}

/** Messages stay bytes here: we decode them ourselves, because a decoding error must end one stream, not the process. */
function ofBytes(all: PackageDefinition, name: string): ServiceDefinition {
  const service = all[name] as ServiceDefinition;
  return Object.fromEntries(
    Object.entries(service).map(([method, definition]) => [
      method,
      {
        ...definition,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    ]),
  );
}
