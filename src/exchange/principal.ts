/** The owner of a client certificate, from Envoy's `x-forwarded-client-cert`. */
export interface Principal {
  /** The certificate's URIs, DNS names and subject, without empty ones. */
  readonly names: readonly string[];
  /** The Kubernetes namespace in its SPIFFE id; null if it has none. */
  readonly namespace: string | null;
}

const kubernetesId = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/;

/** Keys of an element that identify the client; `By` is the proxy itself. */
const nameKeys: ReadonlySet<string> = new Set(['uri', 'dns', 'subject']);

/**
 * The client in the last element, which this Envoy wrote; earlier elements came with the request and cannot change how it is parsed. Null
 * if the header is not in Envoy's format or names nobody.
 */
export function principalOf(header: string): Principal | null {
  const last = lastElement(header);
  if (last === null) return null;
  const names = last.filter(([key, value]) => nameKeys.has(key) && value !== '').map(([, value]) => value);
  if (names.length === 0) return null;
  for (const [key, value] of last) {
    const namespace = key === 'uri' ? kubernetesId.exec(value)?.[1] : undefined;
    if (namespace !== undefined) return { names, namespace };
  }
  return { names, namespace: null };
}

const pair = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))/y;

/** Keys (lower case) and values of the last element; null if the header is not a list of elements. */
function lastElement(header: string): (readonly [string, string])[] | null {
  let element: (readonly [string, string])[] = [];
  for (let at = 0; ;) {
    pair.lastIndex = at;
    const found = pair.exec(header);
    if (found === null) return null;
    const [whole, key = '', quoted, plain = ''] = found;
    element.push([key.toLowerCase(), quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1')]);
    at += whole.length;
    if (at === header.length) return element;
    const separator = header[at++];
    if (separator === ',') element = [];
    else if (separator !== ';') return null;
  }
}
