/** Writes schema/policy.schema.json, and the reference in docs/policy.md, from the policy's schema. */
import { readFileSync, writeFileSync } from 'node:fs';
import { policyJsonSchema, withReference } from '../src/policy/reference.ts';

writeFileSync(new URL('../schema/policy.schema.json', import.meta.url), policyJsonSchema());
const page = new URL('../docs/policy.md', import.meta.url);
writeFileSync(page, withReference(readFileSync(page, 'utf8')));
