import { decodeMetadata } from './codec.ts';
import { WireReader } from './wire.ts';

/** The method by which Envoy sends access-log entries, many to a message and a message about every second. */
export const accessLogPath = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

/**
 * The `sluice` metadata of each HTTP entry in one StreamAccessLogsMessage; entries without it are left out. Nothing else of
 * an entry is read. Throws WireError on malformed bytes.
 */
export function decodeAccessLog(bytes: Buffer): Readonly<Record<string, unknown>>[] {
  const found: Readonly<Record<string, unknown>>[] = [];
  // StreamAccessLogsMessage.http_logs, its log_entry, its common_properties, their metadata.
  for (const logs of fieldsOf(new WireReader(bytes), 2)) {
    for (const entry of fieldsOf(logs, 1)) {
      for (const common of fieldsOf(entry, 1)) {
        for (const metadata of fieldsOf(common, 17)) {
          const own = decodeMetadata(metadata);
          if (own !== null) found.push(own);
        }
      }
    }
  }
  return found;
}

function* fieldsOf(reader: WireReader, field: number): Iterable<WireReader> {
  while (reader.next()) {
    if (reader.field === field) yield reader.message();
    else reader.skip();
  }
}
