#!/bin/sh
# npm run demo: sets up, then runs the demo on the pinned Node.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh all
exec node_modules/.bin/node src/cli/index.ts demo "$@"
