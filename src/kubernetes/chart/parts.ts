import { z } from 'zod';

/** Types of values that the chart uses repeatedly. */
export const resources = (requests: Record<string, string>, limits: Record<string, string>) =>
  z.looseObject({}).default({ requests, limits });
export const labels = (what: string) => z.record(z.string(), z.string()).default({}).describe(what);
export const port = (number: number, what: string) => z.int().min(1).max(65_535).default(number).describe(what);
export const seconds = (number: number, what: string) => z.int().min(1).max(86_400).default(number).describe(what);
export const flag = (on: boolean, what: string) => z.boolean().default(on).describe(what);
export const text = (value: string, what: string) => z.string().default(value).describe(what);
export const texts = (what: string) => z.array(z.string()).default([]).describe(what);
/** A list defined by Kubernetes; the API server validates it. */
export const objects = (what: string) => z.array(z.looseObject({})).default([]).describe(what);
/** A map defined by Kubernetes. */
export const object = (what: string, value: Record<string, unknown> = {}) => z.looseObject({}).default(value).describe(what);

export const image = (repository: string, tag: string, what: string) =>
  z
    .strictObject({
      repository: text(repository, 'Registry and name'),
      tag: text(tag, tag === '' ? "Tag; empty: the chart's app version" : 'Tag'),
      digest: z
        .string()
        .regex(/^(sha256:[0-9a-f]{64})?$/)
        .default('')
        .describe('sha256:…; wins over the tag'),
      pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When the node pulls it'),
    })
    .prefault({})
    .describe(what);

/** A key of a Secret, mounted as a file. */
export const secretKey = (key: string, what: string) =>
  z
    .strictObject({ secret: text('', 'Secret that holds it; empty: none'), key: text(key, 'Its key there') })
    .prefault({})
    .describe(what);

export const redis = (what: string) =>
  z
    .strictObject({
      secret: text('', 'Secret that holds its URL; empty: none'),
      key: text('url', "The URL's key in it"),
      passwordKey: text('', "The password's key in it; empty: the URL has it, or there is none"),
      caKey: text('', "Key in it of the CAs that its certificate is checked against; empty: the system's"),
    })
    .prefault({})
    .describe(what);

export const probes = (what: string) =>
  z
    .strictObject({ startup: object('Start-up'), readiness: object('Readiness, where there is one'), liveness: object('Liveness') })
    .prefault({})
    .describe(what);
