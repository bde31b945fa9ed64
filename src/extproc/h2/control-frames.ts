/** Checks of the frames that steer a connection. All throw ConnectionError. */
import { limits } from '../../lib/limits.ts';
import { ConnectionError, errorCode, flag, frameType, maxFramePayload, maxFramePayloadSetting, maxWindow, setting } from './frames.ts';
import { headerTableBytes } from './hpack.ts';

/** Frames that cost the peer nothing to send but cost us an answer. */
const costly: ReadonlySet<number> = new Set([
  frameType.ping,
  frameType.settings,
  frameType.priority,
  frameType.resetStream,
  frameType.windowUpdate,
]);

/** Whether a frame only costs: a control frame, or DATA without bytes that does not end its stream. */
export function onlyCosts(type: number, flags: number, bytes: number): boolean {
  return costly.has(type) || (bytes === 0 && type === frameType.data && (flags & flag.endStream) === 0);
}

/** Limits the frames per second that only cost. */
export class ControlRate {
  #second = 0;
  #count = 0;

  count(): void {
    // The cheapest clock: if it is set meanwhile, one second's count begins again.
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    if (++this.#count > limits.http2ControlFrames) throw new ConnectionError(errorCode.calm, 'too many frames that only cost');
  }
}

/** What the peer's SETTINGS ask of us; absent: no change. */
export interface PeerSettings {
  readonly window?: number;
  /** The peer's table for our headers is smaller than the default. */
  readonly smallerTable?: boolean;
}

/** Null: an acknowledgement. */
export function peerSettings(id: number, flags: number, payload: Buffer): PeerSettings | null {
  if (id !== 0) throw new ConnectionError(errorCode.protocol, 'settings of a stream');
  if ((flags & flag.ack) !== 0) {
    if (payload.length > 0) throw new ConnectionError(errorCode.frameSize, 'acknowledged settings with a payload');
    return null;
  }
  if (payload.length % 6 !== 0) throw new ConnectionError(errorCode.frameSize, 'settings of a wrong size');
  let asked: PeerSettings = {};
  for (let at = 0; at < payload.length; at += 6) {
    const key = payload.readUInt16BE(at);
    const to = payload.readUInt32BE(at + 2);
    if (key === setting.headerTableSize && to < headerTableBytes) asked = { ...asked, smallerTable: true };
    if (key === setting.enablePush && to > 1) throw new ConnectionError(errorCode.protocol, 'push neither on nor off');
    if (key === setting.maxFrameSize && (to < maxFramePayload || to > maxFramePayloadSetting))
      throw new ConnectionError(errorCode.protocol, 'frame size out of range');
    if (key !== setting.initialWindowSize) continue;
    if (to > maxWindow) throw new ConnectionError(errorCode.flowControl, 'window too large');
    asked = { ...asked, window: to };
  }
  return asked;
}

/** Priorities are deprecated, and otherwise ignored. */
export function checkPriority(id: number, payload: Buffer): void {
  if (id === 0) throw new ConnectionError(errorCode.protocol, 'priority of the connection');
  if (payload.length !== 5) throw new ConnectionError(errorCode.frameSize, 'PRIORITY of a wrong size');
  checkDependency(id, payload.readUInt32BE(0));
}

/** The first word of a stream's priority, in PRIORITY or at the beginning of HEADERS. */
export function checkDependency(id: number, priority: number): void {
  if ((priority & 0x7fff_ffff) === id) throw new ConnectionError(errorCode.protocol, 'a stream that depends on itself');
}

export function checkPing(id: number, payload: Buffer): void {
  if (id !== 0) throw new ConnectionError(errorCode.protocol, 'ping of a stream');
  if (payload.length !== 8) throw new ConnectionError(errorCode.frameSize, 'ping of a wrong size');
}

/** The bytes by which a WINDOW_UPDATE lets a window grow. */
export function grownBy(payload: Buffer): number {
  if (payload.length !== 4) throw new ConnectionError(errorCode.frameSize, 'WINDOW_UPDATE of a wrong size');
  return payload.readUInt32BE(0) & 0x7fff_ffff;
}
