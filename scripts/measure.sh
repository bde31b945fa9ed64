#!/bin/sh
# npm run bench, npm run drill: runs scripts/measure.ts on the pinned Node.
set -eu
cd "$(dirname "$0")/.."
[ -x node_modules/.bin/node ] || sh scripts/setup.sh deps
exec node_modules/.bin/node scripts/measure.ts "$@"
