#!/bin/sh
# npm test: sets up, then runs all tests. `--clock +400d` first: the clock of Node's processes is moved (docs/dev/testing.md). Other arguments go to vitest.
set -eu
cd "$(dirname "$0")/.."
FAKETIME=
if [ "${1:-}" = --clock ]; then
  FAKETIME=$2
  shift 2
fi
sh scripts/setup.sh all
sh scripts/setup.sh chromium
sh scripts/setup.sh prometheus
contained=$(sh scripts/setup.sh containers) || contained=
for server in valkey postgres clickhouse; do
  case " $contained " in *" $server "*) ;; *) sh scripts/setup.sh "$server" ;; esac
done
sh scripts/setup.sh faketime
sh scripts/setup.sh embedding || echo 'the sentence model could not be fetched: tests with it are skipped' >&2
sh scripts/definitions.sh

# All tests start hundreds of servers and commands: a built one takes 0.36 s of CPU until it is ready, one from sources 0.85 s. Single files use the sources.
case " $* " in
  *.ts\ *) ;;
  *)
    node_modules/.bin/node scripts/build.ts --out node_modules/.cache/sluice >/dev/null
    SLUICE_STACK_ENTRY=$PWD/node_modules/.cache/sluice/sluice.cjs
    export SLUICE_STACK_ENTRY
    ;;
esac
if [ -n "$FAKETIME" ]; then
  . scripts/clock.sh
  NODE_OPTIONS="--import $PWD/test/support/servers-clock.ts ${NODE_OPTIONS:-}"
  export NODE_OPTIONS
fi
exec node_modules/.bin/node node_modules/vitest/vitest.mjs run "$@"
