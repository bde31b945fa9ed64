import { redisClient, type RedisClient, type RedisTarget } from '../../lib/redis/connect.ts';
import { limits } from '../../lib/limits.ts';
import { eventSchema, type EventStream, type LearningEvent } from './hub.ts';

const key = 'sluice:learning';
/** Timeout for adding an event, in ms. */
const addMs = 1_000;
/** Longest blocking read for new events in Redis, and delay after a failure, in ms. */
const blockMs = 1_000;
const retryMs = 1_000;
const batch = 500;

/**
 * Grades shared between replicas in a Redis stream, trimmed to limits.learningEvents. Connects in the background. Throws SluiceError for a
 * wrong URL or file.
 */
export function openLearningStream(target: RedisTarget, onError: (error: unknown, what: string) => void): EventStream {
  const writer = redisClient(target);
  const reader = redisClient(target);
  for (const client of [writer, reader]) {
    client.on('error', () => undefined);
    client.connect().catch(() => undefined);
  }
  let closed = false;
  let told = false;
  const fail = (error: unknown): void => {
    // Reported once per outage.
    if (!told && !closed) onError(error, 'grades are not shared with other replicas: Redis does not answer');
    told = true;
  };
  return {
    async add(event) {
      try {
        await within(addMs, connected(writer));
        await within(addMs, (writer as RedisCommands).xadd(key, 'MAXLEN', '~', limits.learningEvents, '*', 'event', JSON.stringify(event)));
        return true;
      } catch (error) {
        fail(error);
        return false;
      }
    },
    follow(cursor, take) {
      void (async () => {
        let at = cursor;
        while (!closed) {
          try {
            await within(addMs, connected(reader));
            const answer = await (reader as RedisCommands).xread('COUNT', batch, 'BLOCK', blockMs, 'STREAMS', key, at);
            told = false;
            for (const [id, fields] of answer?.[0]?.[1] ?? []) {
              at = id;
              const event = parse(fields[1] ?? '');
              if (event !== null) take(event, id);
            }
          } catch (error) {
            fail(error);
            await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
          }
        }
      })();
    },
    close() {
      closed = true;
      writer.disconnect();
      reader.disconnect();
    },
  };
}

/** The two commands, which a single server and a cluster both have. */
type RedisCommands = RedisClient & {
  xadd(...args: (string | number)[]): Promise<string | null>;
  xread(...args: (string | number)[]): Promise<[string, [string, string[]][]][] | null>;
};

/** Null for any other entry in the stream. */
function parse(text: string): LearningEvent | null {
  try {
    const parsed = eventSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** One listener per client, even if many callers wait and give up. */
const connecting = new WeakMap<RedisClient, Promise<void>>();

/** Resolves once the connection is open. */
function connected(client: RedisClient): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  const known = connecting.get(client);
  if (known !== undefined) return known;
  const ready = new Promise<void>((resolve) =>
    client.once('ready', () => {
      connecting.delete(client);
      resolve();
    }),
  );
  connecting.set(client, ready);
  return ready;
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms).unref();
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
