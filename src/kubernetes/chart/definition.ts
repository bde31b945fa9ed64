import { stringify } from 'yaml';
import { policyJsonSchema } from '../../policy/reference.ts';
import { llmPolicies } from '../policy-kinds.ts';

interface PolicySchema {
  readonly properties: Readonly<Record<string, { readonly type?: string; readonly description?: string }>>;
  readonly required: readonly string[];
}

/** What the API server is to keep as it came: Sluice checks it, and says more about it than a structural schema can. */
const kept = { 'x-kubernetes-preserve-unknown-fields': true };

/**
 * Generates helm/sluice-crds/templates/llmpolicies.yaml, the definition of LLMPolicy. `kubectl explain` shows the policy's own words. Unknown
 * names are kept, not pruned, so that a typing error is refused and not ignored.
 */
export function llmPolicyDefinition(): string {
  const { group, version, plural } = llmPolicies;
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      // A definition that goes takes all its objects with it.
      annotations: { 'helm.sh/resource-policy': 'keep' },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind: 'LLMPolicy', listKind: 'LLMPolicyList', plural, singular: 'llmpolicy', shortNames: ['llmp'], categories: ['sluice'] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            conditionColumn('Accepted'),
            conditionColumn('Programmed'),
            { name: 'Replicas', type: 'string', jsonPath: '.status.replicas', description: 'Replicas that have it in force' },
            { name: 'Reason', type: 'string', priority: 1, jsonPath: conditionPath('Accepted', 'message') },
            {
              name: 'Policy',
              type: 'string',
              priority: 1,
              jsonPath: '.status.hash',
              description: 'Hash of the whole policy, as in records',
            },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          schema: { openAPIV3Schema: { type: 'object', required: ['spec'], properties: { spec: specSchema(), status: statusSchema } } },
        },
      ],
    },
  };
  return `# Made by \`npm run build\` from src/kubernetes/chart/definition.ts.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

function conditionPath(type: string, field: string): string {
  return `.status.conditions[?(@.type=="${type}")].${field}`;
}

function conditionColumn(type: string): object {
  return { name: type, type: 'string', jsonPath: conditionPath(type, 'status') };
}

function specSchema(): object {
  const { properties, required } = JSON.parse(policyJsonSchema()) as PolicySchema;
  return {
    type: 'object',
    description: 'A policy: the same text as in a policy file or ConfigMap',
    required,
    ...kept,
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, { type, description }]) => [
        name,
        { ...(name === 'version' ? { type: 'integer', enum: [1] } : shape(type)), ...(description === undefined ? {} : { description }) },
      ]),
    ),
  };
}

function shape(type: string | undefined): object {
  return type === 'array' ? { type, items: { type: 'object', ...kept } } : { type: 'object', ...kept };
}

const statusSchema = {
  type: 'object',
  description: 'What Sluice made of it',
  properties: {
    observedGeneration: { type: 'integer', format: 'int64', description: 'The generation that this status is about' },
    version: { type: 'string', description: 'The resourceVersion with which that generation was first seen' },
    hash: { type: 'string', description: 'Hash of the whole policy in force, as in records' },
    replicas: { type: 'string', description: 'Replicas that have that policy, of all' },
    conditions: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
        properties: {
          type: {
            type: 'string',
            description: 'Accepted: it is right beside the other policies. Programmed: every replica has it in force',
          },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
          reason: { type: 'string' },
          message: { type: 'string' },
          observedGeneration: { type: 'integer', format: 'int64' },
          lastTransitionTime: { type: 'string', format: 'date-time' },
        },
      },
    },
  },
};
