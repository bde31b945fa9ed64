/** The JSON Schema that a provider accepts for one use: tool arguments, or an enforced answer format. From the providers' documentation. */
export interface SchemaRules {
  /** The provider's name, for messages. */
  readonly name: string;
  /** Keywords that constrain a value and are not supported. */
  readonly unknown: ReadonlySet<string>;
  /** Keywords that constrain nothing and are refused, besides those with the prefix `x-`; empty: all are accepted. */
  readonly annotations: ReadonlySet<string>;
  /** Objects must set `additionalProperties: false`. */
  readonly closed: boolean;
  /** Where a schema may contain itself; `optional`: only in members that are not required. */
  readonly recursion: 'any' | 'optional' | 'none';
  /** The highest supported minItems. */
  readonly minItems: number;
  /** Whether alternatives are allowed at the root of a tool's arguments. */
  readonly rootUnions: boolean;
  /** The root must be an object. */
  readonly rootObject: boolean;
  /** A constant is written as an enum, where it can be one. */
  readonly constAsEnum: boolean;
  /** The values of an enum; `plain`: no objects and lists; `words`: strings and numbers. */
  readonly enums: 'any' | 'plain' | 'words';
  /** Only members that are defined may be required. */
  readonly requiredDefined: boolean;
  /** Every object must have named members and require one of them. */
  readonly requiredSome: boolean;
  /** A place has one type: several are written as alternatives. */
  readonly oneType: boolean;
  /** A reference has no other member beside it. */
  readonly loneRefs: boolean;
  /** Definitions are in `$defs`, never in `definitions`. */
  readonly defsOnly: boolean;
  /** Formats of strings; null: all. */
  readonly formats: ReadonlySet<string> | null;
  /** A regular expression as the provider takes it; null if it does not. */
  readonly pattern: (pattern: string) => string | null;
}

/** Rules that allow everything. */
export function anySchema(name: string): SchemaRules {
  return {
    name,
    unknown: new Set(),
    annotations: new Set(),
    closed: false,
    recursion: 'any',
    minItems: Infinity,
    rootUnions: false,
    rootObject: false,
    constAsEnum: false,
    enums: 'any',
    requiredDefined: false,
    requiredSome: false,
    oneType: false,
    loneRefs: false,
    defsOnly: false,
    formats: null,
    pattern: (pattern) => pattern,
  };
}

/** Keywords that no provider takes in an enforced schema: neither OpenAI's strict mode nor an enforced answer. */
export const neverTaken: readonly string[] = [
  'not',
  'if',
  'then',
  'else',
  'dependentRequired',
  'dependentSchemas',
  'patternProperties',
  'propertyNames',
  'unevaluatedProperties',
  'unevaluatedItems',
  'uniqueItems',
  'contains',
  'minProperties',
  'maxProperties',
];

/** Keywords that Anthropic, Gemini and Cohere do not keep to in an enforced answer. */
export const neverKept: readonly string[] = [...neverTaken, 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minLength', 'maxLength'];

/** Keywords that constrain nothing, which providers refuse in an enforced answer. */
export const bareAnnotations: readonly string[] = [
  'examples',
  'example',
  '$comment',
  'deprecated',
  'readOnly',
  'writeOnly',
  'discriminator',
  'externalDocs',
  'xml',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
];

/** Descriptions for readers; they may be anywhere. */
export const descriptive: ReadonlySet<string> = new Set([...bareAnnotations, 'title', 'description', 'default']);
