#!/bin/sh
# npm run test:unit: the tests beside the code that need no set-up; properties are tried a fifth as often as in `npm test`. `--clock +400d` moves the clock of
# the tests by libfaketime (scripts/setup.sh faketime); other arguments go to vitest.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --clock ]; then
  LD_PRELOAD=$(find /usr/lib -path '*faketime/libfaketimeMT.so.1' 2>/dev/null | head -n 1)
  [ -n "$LD_PRELOAD" ] || { echo 'no libfaketime here: sh scripts/setup.sh faketime' >&2; exit 1; }
  FAKETIME=$2
  # Timers count on the monotonic clock, which stays as it is.
  export LD_PRELOAD FAKETIME FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=0
  shift 2
fi
SLUICE_FUZZ_FACTOR=${SLUICE_FUZZ_FACTOR:-0.2} exec node_modules/.bin/node node_modules/vitest/vitest.mjs run --project unit "$@"
