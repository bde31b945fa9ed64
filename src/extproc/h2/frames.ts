/** HTTP/2 frames (RFC 9113, 4 and 6): wire format only. */

export const frameHeaderBytes = 9;
/** The largest payload accepted here, which is also the default before a peer has read our settings. */
export const maxFramePayload = 16_384;
/** The largest that a peer may ask for (RFC 9113, 6.5.2). */
export const maxFramePayloadSetting = 0xff_ffff;
export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const defaultWindow = 65_535;
export const maxWindow = 0x7fff_ffff;

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;
export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;
export const errorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const;
export type ErrorCode = (typeof errorCode)[keyof typeof errorCode];

/** The peer broke the protocol: the connection ends with this code. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A frame's type and flags as one number. */
export function frameKind(type: number, flags: number): number {
  return (type << 8) | flags;
}

/** Writes a frame's header at `at` and returns where its payload begins. */
export function putFrameHeader(target: Buffer, at: number, length: number, kind: number, stream: number): number {
  target[at] = length >>> 16;
  target[at + 1] = (length >>> 8) & 0xff;
  target[at + 2] = length & 0xff;
  target[at + 3] = kind >>> 8;
  target[at + 4] = kind & 0xff;
  target.writeUInt32BE(stream, at + 5);
  return at + frameHeaderBytes;
}

/** One whole frame. */
export function frameOf(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  bytes.set(payload, putFrameHeader(bytes, 0, payload.length, frameKind(type, flags), stream));
  return bytes;
}

/** A frame whose payload is 32-bit numbers: RST_STREAM, WINDOW_UPDATE, GOAWAY. */
export function numbersFrame(type: number, stream: number, ...numbers: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + 4 * numbers.length);
  let at = putFrameHeader(bytes, 0, 4 * numbers.length, frameKind(type, 0), stream);
  for (const number of numbers) at = bytes.writeUInt32BE(number, at);
  return bytes;
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(6 * settings.length);
  for (const [index, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frameOf(frameType.settings, 0, 0, payload);
}

/** How many bytes of padding end the payload (`from` to `to`) of a frame that has some; its first byte says so. Throws ConnectionError. */
export function paddingOf(bytes: Buffer, from: number, to: number): number {
  const padding = from < to ? bytes[from]! : Infinity;
  if (padding >= to - from) throw new ConnectionError(errorCode.protocol, 'padding longer than its frame');
  return padding;
}
