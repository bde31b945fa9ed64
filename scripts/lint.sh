#!/bin/sh
# npm run lint: the format (prettier), the rules (eslint) and the types (tsc). `--fix` writes the format, and mends what the rules can mend.
set -u
cd "$(dirname "$0")/.."
format=--check fix=
case "${1:-}" in
  '') ;;
  --fix) format=--write fix=--fix ;;
  *) echo "npm run lint takes --fix, and no '$1'" >&2; exit 2 ;;
esac
node() { node_modules/.bin/node "$@"; }
failed=0
node node_modules/prettier/bin/prettier.cjs "$format" --log-level warn '**/*.{ts,js}' || failed=1
node node_modules/eslint/bin/eslint.js --cache --cache-location node_modules/.cache/eslint/ $fix . || failed=1
node node_modules/typescript/bin/tsc -p . || failed=1
exit "$failed"
