#!/bin/sh
# What the tests with a real API server install there: custom resource definitions of Envoy Gateway, Istio, kgateway, the Prometheus operator and cert-manager, and Envoy
# Gateway's chart, from the Go modules that carry them, into .tools/crds and .tools/charts. Quick and quiet when they are there, or when there is
# no API server to try them on.
set -eu
cd "$(dirname "$0")/.."
say() { printf '%s\n' "· $*" >&2; }

gateway=v1.9.1 istio=v1.31.1 kgateway=v2.2.0 prometheus=v0.85.0 certificates=v1.21.2
versions="gateway $gateway, istio $istio, kgateway $kgateway, prometheus-operator $prometheus, cert-manager $certificates"
if [ "$(cat .tools/crds/.complete 2>/dev/null)" = "$versions" ]; then exit 0; fi
if [ ! -x "${SLUICE_TEST_TOOLS:-/nonexistent}/testkube" ] && ! command -v testkube >/dev/null 2>&1; then exit 0; fi
if ! command -v go >/dev/null 2>&1; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then say 'no Go here to fetch definitions with: tests of Envoy Gateway, Istio, kgateway, the Prometheus operator and cert-manager are skipped'; exit 0; fi
  say 'installing golang-go (Debian) …'
  for try in 1 2; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends golang-go ca-certificates >/dev/null 2>&1 && break
    apt-get update -qq >/dev/null 2>&1 || true
  done
fi
say "fetching definitions: $versions (Go modules) …"
rm -rf .tools/crds .tools/charts
mkdir -p .tools/crds/envoy-gateway .tools/crds/istio .tools/crds/kgateway .tools/crds/prometheus-operator .tools/crds/cert-manager .tools/charts
folder() { (cd / && go mod download -json "$1" 2>/dev/null || true) | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p'; }
from_gateway=$(folder "github.com/envoyproxy/gateway@$gateway")
from_istio=$(folder "istio.io/api@$istio")
from_kgateway=$(folder "github.com/kgateway-dev/kgateway/v2@$kgateway")
from_prometheus=$(folder "github.com/prometheus-operator/prometheus-operator@$prometheus")
from_certificates=$(folder "github.com/cert-manager/cert-manager@$certificates")
if [ -z "$from_gateway" ] || [ -z "$from_istio" ] || [ -z "$from_kgateway" ] || [ -z "$from_prometheus" ] || [ -z "$from_certificates" ]; then say 'the definitions could not be fetched: tests of Envoy Gateway, Istio, kgateway, the Prometheus operator and cert-manager are skipped'; exit 0; fi
cp "$from_gateway/charts/gateway-helm/charts/crds/crds/gatewayapi-crds.yaml" "$from_gateway"/charts/gateway-helm/charts/crds/crds/generated/*.yaml .tools/crds/envoy-gateway/
cp "$from_istio/kubernetes/customresourcedefinitions.gen.yaml" .tools/crds/istio/
cp "$from_kgateway"/install/helm/kgateway-crds/templates/*.yaml .tools/crds/kgateway/
chmod -R u+w .tools/crds/kgateway
# Kubernetes 1.37 refuses this version's definitions: their rules for times of any length cost too much. Its newer ones say how long a time may be.
perl -0pi -e 's/\n( *)type: string(\n *x-kubernetes-validations:\n *- message: [^\n]*(?:\n *value)?\n *rule: matches\(self,)/\n$1type: string\n$1maxLength: 32$2/g' .tools/crds/kgateway/*.yaml
for kind in podmonitors servicemonitors prometheusrules; do cp "$from_prometheus/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml" .tools/crds/prometheus-operator/; done
for kind in certificates issuers; do cp "$from_certificates/deploy/crds/cert-manager.io_$kind.yaml" .tools/crds/cert-manager/; done
cp -R "$from_gateway/charts/gateway-helm" .tools/charts/gateway-helm
chmod -R u+w .tools/crds .tools/charts
# As the project's own release fills it in.
sed -e "s|\${GatewayImage}|docker.io/envoyproxy/gateway:$gateway|" -e 's|\${GatewayImagePullPolicy}|IfNotPresent|' .tools/charts/gateway-helm/values.tmpl.yaml > .tools/charts/gateway-helm/values.yaml
printf '%s\n' "$versions" > .tools/crds/.complete
