#!/bin/sh
# npm run bench -- peers: fetches the peers at pinned versions into .tools/peers (about 800 MB), and measures them beside Sluice.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh all
litellm=1.106.2
portkey=1.15.2
if command -v go >/dev/null 2>&1; then
  mkdir -p .tools/bench
  (cd bench/noop && go build -o ../../.tools/bench/noop .)
fi
mkdir -p .tools/peers
if [ ! -f ".tools/peers/litellm-$litellm" ]; then
  echo "· installing LiteLLM's proxy $litellm (PyPI) …" >&2
  rm -rf .tools/peers/litellm .tools/peers/litellm-*
  python3 -m venv .tools/peers/litellm
  .tools/peers/litellm/bin/pip install --quiet --disable-pip-version-check "litellm[proxy]==$litellm" >&2
  touch ".tools/peers/litellm-$litellm"
fi
if [ ! -f ".tools/peers/portkey-$portkey" ]; then
  echo "· installing Portkey's gateway $portkey (npm) …" >&2
  rm -rf .tools/peers/portkey .tools/peers/portkey-*
  mkdir -p .tools/peers/portkey
  npm install --prefix .tools/peers/portkey --save-exact --no-audit --no-fund --ignore-scripts --loglevel=error "@portkey-ai/gateway@$portkey" >&2
  touch ".tools/peers/portkey-$portkey"
fi
SLUICE_PEERS="LiteLLM $litellm, Portkey $portkey" exec node_modules/.bin/node bench/peers.ts "$@"
