#!/bin/sh
# npm test: sets up, then runs all tests. Arguments go to vitest.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh all
sh scripts/setup.sh chromium
sh scripts/setup.sh prometheus
contained=$(sh scripts/setup.sh containers) || contained=
for server in valkey postgres clickhouse; do
  case " $contained " in *" $server "*) ;; *) sh scripts/setup.sh "$server" ;; esac
done
sh scripts/setup.sh faketime
sh scripts/definitions.sh
exec node_modules/.bin/node node_modules/vitest/vitest.mjs run "$@"
