#!/bin/sh
# npm run test:clients: installs client libraries and coding agents, then calls them through a real Envoy. Arguments go to vitest.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh all
sh scripts/setup.sh clients
exec node_modules/.bin/node node_modules/vitest/vitest.mjs run --config test/clients/vitest.config.ts "$@"
