import { leastMemoryBytes, memoryBytesOf } from '../../attach/overload.ts';
import { SluiceError } from '../../lib/errors.ts';

type Read<T> = (text: string, where: string) => T;

/** Any text. */
export const text: Read<string> = (value) => value;

/** A number; `says`: the error message for other text. The result is the written number times `scale`. */
export function number(says: string, fits: (value: number) => boolean, scale = 1): Read<number> {
  return (value, where) => {
    const found = value.trim() === '' ? NaN : Number(value);
    if (!fits(found)) throw new SluiceError('SLUICE_CLI_USAGE', says, { where });
    return found * scale;
  };
}

/** One of a list of words. */
export function word<const Word extends string>(words: readonly Word[]): Read<Word> {
  return (value, where) => {
    const found = words.find((one) => one === value);
    if (found === undefined) throw new SluiceError('SLUICE_CLI_USAGE', `${value} is not one of ${words.join(', ')}.`, { where });
    return found;
  };
}

/** A list `a,b`. */
export const list: Read<readonly string[]> = (value) => value.split(',').map((one) => one.trim());

/** Namespaces of `a,b`. */
export const namespaces: Read<readonly string[]> = (value, where) => {
  const names = list(value, where);
  if (names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) return names;
  throw new SluiceError('SLUICE_CLI_USAGE', `${value} is no list of namespaces.`, { where, fix: 'Write a,b.' });
};

/** Namespaces of `a,b`; an empty list for `*`, which means all of them. */
export const namespacesOrAll: Read<readonly string[]> = (value, where) => {
  if (value.trim() === '*') return [];
  try {
    return namespaces(value, where);
  } catch (error) {
    throw error instanceof SluiceError ? new SluiceError(error.code, error.message, { where, fix: 'Write a,b or *.' }) : error;
  }
};

/** An http or https URL. */
export const httpUrl: Read<string> = (value, where) => {
  if (/^https?:\/\//.test(value) && URL.canParse(value)) return value;
  throw new SluiceError('SLUICE_CLI_USAGE', `${value} is no http or https URL.`, { where });
};

/** Bytes of `512Mi`, `2Gi` or a plain number; 0 for `off`. */
export const envoyMemory: Read<number> = (value, where) => {
  if (value.trim().toLowerCase() === 'off') return 0;
  const bytes = memoryBytesOf(value);
  if (bytes !== null && bytes >= leastMemoryBytes) return bytes;
  const wrong =
    bytes === null ? `${value} is no amount of memory.` : `${value} is less than the ${leastMemoryBytes / 2 ** 20}Mi that an Envoy needs.`;
  throw new SluiceError('SLUICE_CLI_USAGE', wrong, { where, fix: 'Write 512Mi, 2Gi, a number of bytes, or off.' });
};

/** A request header's name, in lower case; null for `off`. */
export const headerOrOff: Read<string | null> = (value, where) => {
  if (value === 'off') return null;
  if (!/^[a-zA-Z0-9-]{1,64}$/.test(value)) throw new SluiceError('SLUICE_CLI_USAGE', `${value} is no name of a header.`, { where });
  return value.toLowerCase();
};

/** A ConfigMap as `namespace/name`. */
export const configMap: Read<{ readonly namespace: string; readonly name: string }> = (value, where) => {
  const found = /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\/([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?)$/.exec(value);
  if (found === null)
    throw new SluiceError('SLUICE_CLI_USAGE', `${value} is not namespace/name.`, { where, fix: 'Write for example llm/sluice-status.' });
  return { namespace: found[1]!, name: found[2]! };
};
