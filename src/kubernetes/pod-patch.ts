import { z } from 'zod';
import type { PatchOperation } from './admission.ts';

const containerSchema = z.looseObject({
  name: z.string(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().nullish() })).nullish(),
  ports: z.array(z.looseObject({ containerPort: z.number() })).nullish(),
  volumeMounts: z.array(z.looseObject({})).nullish(),
});
const podSchema = z.looseObject({
  spec: z.looseObject({
    containers: z.array(containerSchema),
    initContainers: z.array(containerSchema).nullish(),
    volumes: z.array(z.looseObject({ name: z.string() })).nullish(),
    hostAliases: z.array(z.looseObject({})).nullish(),
    imagePullSecrets: z.array(z.looseObject({ name: z.string().nullish() })).nullish(),
    securityContext: z.looseObject({ runAsUser: z.number().nullish() }).nullish(),
  }),
});

export type Container = z.infer<typeof containerSchema>;
export type PodSpec = z.infer<typeof podSchema>['spec'];

/** Variables from which official and common SDKs read their base URL, and the suffix to append to the gateway's. */
export const baseUrlVariables: Readonly<Record<string, string>> = {
  OPENAI_BASE_URL: '/v1',
  OPENAI_API_BASE: '/v1',
  ANTHROPIC_BASE_URL: '',
  GOOGLE_GEMINI_BASE_URL: '',
};

/** The relevant parts of the pod's spec; null if it is not a pod. */
export function readPod(object: unknown): PodSpec | null {
  const parsed = podSchema.safeParse(object);
  return parsed.success ? parsed.data.spec : null;
}

/** Every container, init containers first, with its JSON Pointer. */
export function containersOf(spec: PodSpec): (readonly [path: string, container: Container])[] {
  return (['initContainers', 'containers'] as const).flatMap((list) =>
    (spec[list] ?? []).map((container, index) => [`/spec/${list}/${index}`, container] as const),
  );
}

/** Adds variables to every container, and optionally a mount. */
export function eachContainer(spec: PodSpec, env: (container: Container) => readonly object[], mount?: object): PatchOperation[] {
  return containersOf(spec).flatMap(([path, container]) => [
    ...append(`${path}/env`, container.env, env(container)),
    ...(mount === undefined ? [] : append(`${path}/volumeMounts`, container.volumeMounts, [mount])),
  ]);
}

/** The variables that a container does not set itself. */
export function missingEnv({ env }: Container, wanted: readonly (readonly [string, string])[]): object[] {
  const present = new Set((env ?? []).map(({ name }) => name));
  return wanted.filter(([name]) => !present.has(name)).map(([name, value]) => ({ name, value }));
}

/** The SDKs' base-URL variables in every container that does not set them itself. */
export function baseUrlPatch(spec: PodSpec, url: string): PatchOperation[] {
  return eachContainer(spec, (container) =>
    missingEnv(
      container,
      Object.entries(baseUrlVariables).map(([name, suffix]) => [name, `${url}${suffix}`]),
    ),
  );
}

/** Secrets with registry credentials that the pod does not name itself, for the images that it gets. */
export function pullSecretsPatch(spec: PodSpec, names: readonly string[]): PatchOperation[] {
  const present = new Set((spec.imagePullSecrets ?? []).map(({ name }) => name));
  const missing = names.filter((name) => !present.has(name)).map((name) => ({ name }));
  return append('/spec/imagePullSecrets', spec.imagePullSecrets, missing);
}

/** Appends to a list; a missing list is created with its first entries. */
export function append(path: string, existing: readonly unknown[] | null | undefined, values: readonly object[]): PatchOperation[] {
  if (values.length === 0) return [];
  if (existing === null || existing === undefined) return [{ op: 'add', path, value: values }];
  return values.map((value) => ({ op: 'add', path: `${path}/-`, value }));
}

/** Inserts at the start of a list. Must come after operations that refer to entries by index. */
export function prependAll(path: string, existing: readonly unknown[] | null | undefined, values: readonly object[]): PatchOperation[] {
  if (existing === null || existing === undefined) return [{ op: 'add', path, value: values }];
  return values.map((value, index) => ({ op: 'add', path: `${path}/${index}`, value }));
}
