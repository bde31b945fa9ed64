import { claimNamespaces } from '../attach/names.ts';
import type { HeaderMap } from '../lib/headers.ts';
import type { KnownOfCaller } from './plans.ts';
import type { CallerClaim, CallersPolicy, CallerSigns, CallerTrust, IdentityRule, IgnoredClaim, TrustRule } from '../policy/types.ts';
import { principalOf, type Principal } from './principal.ts';

const principalHeader = 'x-forwarded-client-cert';

const noneIgnored: readonly IgnoredClaim[] = [];

/**
 * The claims that a caller makes in headers, as far as they are trusted. A header that came twice is never trusted: whatever reads it
 * after Sluice may take the other value.
 */
export class Claims implements CallerTrust {
  readonly #headers: HeaderMap;
  readonly #policy: CallersPolicy | null;
  readonly #known: KnownOfCaller | undefined;
  #principal: Principal | null | undefined;
  #identity: IdentityRule | null = null;
  #trusted: TrustRule | null = null;
  #ignored: IgnoredClaim[] | null = null;

  constructor(headers: HeaderMap, policy: CallersPolicy | null, known?: KnownOfCaller) {
    this.#headers = headers;
    this.#policy = policy;
    this.#known = known;
    if (policy !== null) this.#judge(policy);
  }

  #judge({ identify, trust }: CallersPolicy): void {
    this.#identity = identify.find((rule) => this.#holds(rule)) ?? null;
    this.#trusted = trust.find((rule) => rule.workspace === null && this.#holds(rule)) ?? null;
  }

  get ignored(): readonly IgnoredClaim[] {
    return this.#ignored ?? noneIgnored;
  }

  get identity(): string | null {
    return this.#identity?.name ?? null;
  }

  get rule(): string | null {
    return this.#trusted?.name ?? null;
  }

  get workspaceVouched(): boolean {
    if (this.#policy === null) return false;
    const { workspace } = this.#policy.believe;
    return workspace === 'gateway' || workspace === 'trusted' || workspace === 'nobody' || this.is('workspaceIs') !== null;
  }

  /** Trust depends on the workspace: call this once the workspace is known. */
  inWorkspace(workspace: string): void {
    if (this.#policy !== null && this.#trusted === null) this.#trusted = this.#trustedIn(this.#policy, workspace);
  }

  #trustedIn({ believe, trust }: CallersPolicy, workspace: string): TrustRule | null {
    if (believe.workspace !== 'gateway' && this.is('workspaceIs') === null) return null;
    return trust.find((rule) => rule.workspace?.(workspace) === true && this.#holds(rule)) ?? null;
  }

  /** The verified identity, regardless of the caller's claims; null if only the caller states it. */
  is(what: 'workspaceIs' | 'userIs' | 'userTierIs'): string | null {
    const template = this.#identity?.[what] ?? null;
    return template === null ? null : this.#filled(template);
  }

  /** The template with its facts; null if one is missing. */
  #filled(template: string): string | null {
    let missing = false;
    const text = template.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => {
      const value = this.#fact(name);
      missing ||= value === null;
      return value ?? '';
    });
    return missing ? null : text;
  }

  believes(claim: CallerClaim): boolean {
    if (this.#policy === null) return true;
    const belief = this.#policy.believe[claim];
    return belief === 'all' || belief === 'gateway' || (belief === 'trusted' && this.#trusted !== null);
  }

  /** Nothing before Sluice sets values in bodies: those come from the caller alone. */
  believesBody(claim: CallerClaim): boolean {
    return this.believes(claim) && this.#policy?.believe[claim] !== 'gateway';
  }

  /** The first of these headers that has a value; undefined if none has, or if the claim is not trusted. */
  said(claim: CallerClaim, names: readonly string[]): string | undefined {
    for (let at = 0; at < names.length; at++) {
      const name = names[at]!;
      const value = this.#headers.get(name);
      if (value === undefined || value === '') continue;
      if (!this.believes(claim)) return this.#ignore(claim, 'untrusted');
      return this.#headers.repeated?.(name) === true ? this.#ignore(claim, 'doubled') : value;
    }
    return undefined;
  }

  #ignore(claim: CallerClaim, why: IgnoredClaim['why']): undefined {
    const ignored = (this.#ignored ??= []);
    if (!ignored.some((one) => one.claim === claim)) ignored.push({ claim, why });
    return undefined;
  }

  #holds({ principal, namespace, headers, claims }: CallerSigns): boolean {
    if (principal !== null && this.#who()?.names.some(principal) !== true) return false;
    if (namespace !== null) {
      const own = this.#who()?.namespace ?? null;
      if (own === null || !namespace(own)) return false;
    }
    for (const { name, values } of headers) {
      const value = this.#headers.get(name);
      if (value === undefined || !values.has(value) || this.#headers.repeated?.(name) === true) return false;
    }
    return claims.every(({ path, values }) => this.#claim(path).some((value) => values.has(value)));
  }

  #who(): Principal | null {
    if (this.#principal !== undefined) return this.#principal;
    const header = this.#headers.repeated?.(principalHeader) === true ? undefined : this.#headers.get(principalHeader);
    return (this.#principal = header === undefined ? null : principalOf(header));
  }

  #fact(name: string): string | null {
    if (name === 'namespace') return this.#who()?.namespace ?? null;
    if (name === 'principal') return this.#who()?.names[0] ?? null;
    return this.#claim(name.slice('claims.'.length))[0] ?? null;
  }

  /** The values of a claim as strings; several if it is a list, empty if there is no such claim. */
  #claim(path: string): readonly string[] {
    for (const namespace of claimNamespaces) {
      const found = valueAt(this.#known?.(namespace) ?? null, path);
      if (found !== undefined) return Array.isArray(found) ? found.flatMap(textOf) : textOf(found);
    }
    return [];
  }
}

/** The member at a dotted path. Names may contain dots themselves, as URLs do: the longest existing name is tried first. */
function valueAt(node: unknown, path: string): unknown {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return undefined;
  const members = node as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(members, path)) return members[path];
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const name = path.slice(0, dot);
    const found = Object.hasOwn(members, name) ? valueAt(members[name], path.slice(dot + 1)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function textOf(value: unknown): string[] {
  return typeof value === 'string' ? [value] : typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : [];
}
