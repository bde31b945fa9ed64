import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';

/** The same floor for machines without Go: answers headers and body with "go on". Usage: node noop.ts /path/to.sock */
const identity = (bytes: Buffer): Buffer => bytes;
const headersReply = Buffer.from([0x0a, 0x00]);
const bodyReply = Buffer.from([0x1a, 0x00]);

const server = new Server({ 'grpc.max_receive_message_length': 64 * 1024 * 1024 });
server.addService(
  {
    Process: {
      path: '/envoy.service.ext_proc.v3.ExternalProcessor/Process',
      requestStream: true,
      responseStream: true,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  },
  {
    Process(call: ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (message: Buffer) => {
        if (message[0] === 0x12) call.write(headersReply);
        else if (message[0] === 0x22) {
          call.write(bodyReply);
          call.end();
        }
      });
      call.on('end', () => call.end());
      call.on('error', () => undefined);
    },
  },
);
server.bindAsync(`unix:${process.argv[2] ?? ''}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
