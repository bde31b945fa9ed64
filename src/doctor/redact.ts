import { parse, stringify } from 'yaml';

/** What stands in place of what was taken out. */
export const gone = '[redacted]';

/** Members whose values are words of people, or belong to one: they are taken out wherever they stand. */
const words: ReadonlySet<string> = new Set([
  'promptStart',
  'promptHash',
  'prompt',
  'text',
  'texts',
  'examples',
  'patch',
  'messages',
  'input',
  'body',
  'about',
  'path',
  'requestId',
  'conversation',
  'caller',
  'key',
  'token',
  'secret',
  'password',
  'authorization',
  'headers',
]);

/** Members that hold names of people, teams or what they call themselves: a stand-in that stays the same within a bundle. */
const names: Readonly<Record<string, string>> = {
  user: 'user',
  users: 'user',
  userHash: 'user',
  workspace: 'workspace',
  workspaces: 'workspace',
  known: 'workspace',
  namespace: 'namespace',
  namespaces: 'namespace',
  principal: 'principal',
  principals: 'principal',
  subject: 'principal',
};

const secrets: readonly (readonly [RegExp, string])[] = [
  // Credentials before the host, and what stands after ?: webhooks carry their tokens there, or in the path.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']*@/gi, `$1${gone}@`],
  [/\b(https?:\/\/[^\s/?#"']+)[/?#][^\s"']*/gi, `$1/${gone}`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${gone}`],
  [/\b(?:sk|pk|rk|xai|gsk|ghp|pat|hf|xox[a-z])[-_][\w-]{6,}/gi, gone],
  [/\bAIza[\w-]{20,}/g, gone],
  [/\bAKIA[A-Z0-9]{12,}/g, gone],
  [/\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?/g, gone],
  [/-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----/g, gone],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, gone],
];

/** Takes out of a support bundle what is nobody else's business. One for each bundle: a name has one stand-in in all of it. */
export class Redactor {
  readonly #standIns = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** A value of JSON without words of people, credentials and names. */
  value(value: unknown, member = ''): unknown {
    if (words.has(member) && value !== null) return gone;
    const kind = names[member];
    if (typeof value === 'string') return kind === undefined ? this.text(value) : this.#standIn(kind, value);
    if (Array.isArray(value)) return value.map((each) => this.value(each, member));
    if (typeof value !== 'object' || value === null) return value;
    // Below a list of names the members are names themselves, but for the policy's own words.
    const called = (name: string): string =>
      kind === undefined || names[name] !== undefined ? this.text(name) : this.#standIn(kind, name);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [called(name), this.value(each, name)]));
  }

  /** A text without what looks like a credential, an address of mail, or more of a URL than its host. */
  text(text: string): string {
    return secrets.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
  }

  /** A policy's text: without comments, and without literals in its conditions. What is no YAML is taken out whole. */
  policy(text: string): string {
    let document: unknown;
    try {
      document = parse(text);
    } catch {
      return gone;
    }
    return stringify(this.#conditions(this.value(document)));
  }

  /** Prometheus's text: names in labels have their stand-ins. */
  metrics(text: string): string {
    return text.replace(/\b(workspace|user|namespace)="((?:[^"\\]|\\.)*)"/g, (_whole, label: string, name: string) =>
      name === '' || name === 'other' || name === 'none' || name === 'default'
        ? `${label}="${name}"`
        : `${label}="${this.#standIn(label, name)}"`,
    );
  }

  /** The whole bundle once more: a name that was met anywhere is gone everywhere. */
  everywhere(text: string): string {
    const met = [...this.#standIns]
      .map(([key, instead]) => [key.slice(key.indexOf(' ') + 1), instead] as const)
      .filter(([name]) => name.length > 2);
    // Longer names first: one may be the beginning of another.
    met.sort(([one], [other]) => other.length - one.length);
    return met.reduce(
      (rest, [name, instead]) =>
        rest.replaceAll(new RegExp(`(?<![\\w-])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g'), instead),
      text,
    );
  }

  #standIn(kind: string, name: string): string {
    if (name === '' || name === 'default' || name === '*') return name;
    const key = `${kind} ${name}`;
    let instead = this.#standIns.get(key);
    if (instead === undefined) {
      const count = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, count);
      instead = `${kind}-${count}`;
      this.#standIns.set(key, instead);
    }
    return instead;
  }

  /** Conditions in CEL: what they compare with may be anybody's name. */
  #conditions(value: unknown, member = ''): unknown {
    if (typeof value === 'string')
      return ['cel', 'when', 'if', 'expression'].includes(member)
        ? value.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, `"${gone}"`)
        : value;
    if (Array.isArray(value)) return value.map((each) => this.#conditions(each, member));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#conditions(each, name)]));
  }
}
