#!/bin/sh
# Custom resource definitions of Envoy Gateway and Istio, for tests with a real API server: from the Go modules that carry them, into
# .tools/crds. Quick and quiet when they are there, or when there is no API server to try them on.
set -eu
cd "$(dirname "$0")/.."
say() { printf '%s\n' "· $*" >&2; }

if [ -f .tools/crds/.complete ]; then exit 0; fi
if [ ! -x "${SLUICE_TEST_TOOLS:-/nonexistent}/testkube" ] && ! command -v testkube >/dev/null 2>&1; then exit 0; fi
if ! command -v go >/dev/null 2>&1; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then say 'no Go here to fetch definitions with: tests of Envoy Gateway and Istio are skipped'; exit 0; fi
  say 'installing golang-go (Debian) …'
  for try in 1 2; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends golang-go ca-certificates >/dev/null 2>&1 && break
    apt-get update -qq >/dev/null 2>&1 || true
  done
fi
say 'fetching definitions of Envoy Gateway 1.9.1 and Istio 1.31.1 (Go modules) …'
rm -rf .tools/crds
mkdir -p .tools/crds/envoy-gateway .tools/crds/istio
folder() { (cd / && go mod download -json "$1" 2>/dev/null || true) | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p'; }
gateway=$(folder github.com/envoyproxy/gateway@v1.9.1)
istio=$(folder istio.io/api@v1.31.1)
if [ -z "$gateway" ] || [ -z "$istio" ]; then say 'the definitions could not be fetched: tests of Envoy Gateway and Istio are skipped'; exit 0; fi
cp "$gateway/charts/gateway-helm/charts/crds/crds/gatewayapi-crds.yaml" "$gateway"/charts/gateway-helm/charts/crds/crds/generated/*.yaml .tools/crds/envoy-gateway/
cp "$istio/kubernetes/customresourcedefinitions.gen.yaml" .tools/crds/istio/
chmod -R u+w .tools/crds
touch .tools/crds/.complete
