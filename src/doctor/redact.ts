import { parse, stringify } from 'yaml';

/** Placeholder for removed values. */
export const gone = '[redacted]';

/** Members whose values are people's words or belong to a person: removed at any depth. */
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

/** Members that hold names of people, teams or what they call themselves: replaced by a pseudonym that is the same throughout a bundle. */
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
  // Credentials before the host, and everything after `?`: webhooks carry their tokens there, or in the path.
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

/** Removes private data from a support bundle. One instance per bundle: a name has the same pseudonym everywhere in it. */
export class Redactor {
  readonly #standIns = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** A JSON value without people's words, credentials and names. */
  value(value: unknown, member = ''): unknown {
    if (words.has(member) && value !== null) return gone;
    const kind = names[member];
    if (typeof value === 'string') return kind === undefined ? this.text(value) : this.#standIn(kind, value);
    if (Array.isArray(value)) return value.map((each) => this.value(each, member));
    if (typeof value !== 'object' || value === null) return value;
    // Below a list of names the member keys are names themselves, except for the policy's own keywords.
    const called = (name: string): string =>
      kind === undefined || names[name] !== undefined ? this.text(name) : this.#standIn(kind, name);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [called(name), this.value(each, name)]));
  }

  /** A text without anything that looks like a credential, an email address, or more of a URL than its host. */
  text(text: string): string {
    return secrets.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
  }

  /** A policy's text: without comments, and without literals in its conditions. Text that is not YAML is removed entirely. */
  policy(text: string): string {
    let document: unknown;
    try {
      document = parse(text);
    } catch {
      return gone;
    }
    return stringify(this.#conditions(this.value(document)));
  }

  /** Prometheus text: names in labels are replaced by their pseudonyms. */
  metrics(text: string): string {
    return text.replace(/\b(workspace|user|namespace)="((?:[^"\\]|\\.)*)"/g, (_whole, label: string, name: string) =>
      name === '' || name === 'other' || name === 'none' || name === 'default'
        ? `${label}="${name}"`
        : `${label}="${this.#standIn(label, name)}"`,
    );
  }

  /** A final pass over the whole bundle: a name found anywhere is replaced everywhere. */
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

  /** Conditions in CEL: the literals that they compare with may be somebody's name. */
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
