#!/bin/sh
# npm test: sets up, then runs all tests. Arguments go to vitest.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh all
sh scripts/setup.sh chromium
sh scripts/setup.sh valkey
sh scripts/setup.sh prometheus
sh scripts/setup.sh postgres
sh scripts/setup.sh clickhouse
sh scripts/setup.sh faketime
sh scripts/definitions.sh
exec node_modules/.bin/node node_modules/vitest/vitest.mjs run "$@"
