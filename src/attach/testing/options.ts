import { allAbilities } from '../abilities.ts';
import { mergeProviders } from '../../policy/providers.ts';
import type { EnvoyOptions } from '../render.ts';

/** An Envoy for the providers that every policy has, and one more on this machine. */
export const envoyOptions: EnvoyOptions = {
  providers: [...mergeProviders({ local: { dialect: 'openai', endpoint: 'http://127.0.0.1:9/base', pathPrefix: '/local' } }).values()],
  sluice: 'unix:/tmp/sluice.sock',
  listen: '127.0.0.1:10000',
  admin: '127.0.0.1:9902',
  failClosed: false,
  withholds: false,
  caFile: '/etc/ssl/certs/ca-certificates.crt',
  otlp: null,
  memoryBytes: null,
  abilities: allAbilities,
  usage: 'observe',
};
