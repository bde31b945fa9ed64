#!/bin/sh
# npm run test:unit: the tests beside the code that need no set-up; properties are tried a fifth as often as in `npm test`. `--clock +400d` moves the clock of
# the tests by libfaketime (scripts/setup.sh faketime); other arguments go to vitest.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --clock ]; then
  FAKETIME=$2
  shift 2
  . scripts/clock.sh
fi
SLUICE_FUZZ_FACTOR=${SLUICE_FUZZ_FACTOR:-0.2} exec node_modules/.bin/node node_modules/vitest/vitest.mjs run --project unit "$@"
