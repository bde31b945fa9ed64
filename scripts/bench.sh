#!/bin/sh
# npm run bench: sets up, builds the no-op processor where Go is, runs the bench.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh all
if command -v go >/dev/null 2>&1; then
  mkdir -p .tools/bench
  (cd bench/noop && go build -o ../../.tools/bench/noop .)
fi
exec node_modules/.bin/node bench/index.ts "$@"
