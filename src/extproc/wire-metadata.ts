import type { KnownOfCaller } from '../exchange/plans.ts';
import { WireError, WireReader } from './wire.ts';

/** The metadata namespace in which the request side stores facts for the response side and for Envoy itself. */
export const metadataNamespace = 'sluice';

/** Maximum depth to which a metadata Struct is decoded. Sluice's own is flat. */
const structDepth = 8;

/** Metadata from filters before Sluice's, decoded when the policy needs it. Metadata that cannot be decoded is ignored. */
export function knownIn(bytes: Buffer): KnownOfCaller {
  return (namespace) => {
    try {
      return decodeMetadata(new WireReader(bytes), namespace);
    } catch {
      return null;
    }
  };
}

/** envoy.config.core.v3.Metadata: only one namespace is decoded, by default Sluice's own; null if it is missing. Throws WireError. */
export function decodeMetadata(reader: WireReader, namespace = metadataNamespace): Record<string, unknown> | null {
  let found: Record<string, unknown> | null = null;
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const entry = reader.message();
    let key = '';
    let value: WireReader | null = null;
    while (entry.next()) {
      if (entry.field === 1) key = entry.string();
      else if (entry.field === 2) value = entry.message();
      else entry.skip();
    }
    if (key === namespace && value !== null) found = decodeStruct(value, 0);
  }
  return found;
}

function decodeStruct(reader: WireReader, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const entry = reader.message();
    let key = '';
    let value: unknown = null;
    while (entry.next()) {
      if (entry.field === 1) key = entry.string();
      else if (entry.field === 2) value = decodeValue(entry.message(), depth + 1);
      else entry.skip();
    }
    result[key] = value;
  }
  return result;
}

function decodeValue(reader: WireReader, depth: number): unknown {
  if (depth > structDepth) throw new WireError('metadata nested too deep');
  let value: unknown = null;
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        value = reader.double();
        break;
      case 3:
        value = reader.string();
        break;
      case 4:
        value = reader.number() !== 0;
        break;
      case 5:
        value = decodeStruct(reader.message(), depth);
        break;
      case 6:
        value = decodeList(reader.message(), depth + 1);
        break;
      default:
        reader.skip();
        value = null;
    }
  }
  return value;
}

function decodeList(reader: WireReader, depth: number): unknown[] {
  const values: unknown[] = [];
  while (reader.next()) {
    if (reader.field === 1) values.push(decodeValue(reader.message(), depth));
    else reader.skip();
  }
  return values;
}
