#!/bin/sh
# image/rootfs.sh OUT: the image's file system: Node, the C library, public CAs and Sluice as `npm run build` makes it; no shell, no
# package manager. Run in the repository, with node and npm on PATH. NODE_BINARY: another Node than the one on PATH.
set -eu
out=${1:?usage: image/rootfs.sh OUT}
here=$(cd "$(dirname "$0")/.." && pwd)
node=${NODE_BINARY:-$(command -v node)}
case $node in *.bin/*) node=$(readlink -f "$node") ;; esac

mkdir -p "$out/app" "$out/usr/local/bin" "$out/etc/ssl/certs" "$out/tmp" "$out/run/sluice"
cd "$here"
[ -d node_modules/rolldown ] || npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2

# Built by the image's own Node: V8 takes the code that is made then from no other.
"$node" scripts/build.ts --out "$out/app" >&2

# The one package that is not bundled, for this machine alone.
arch=$("$node" -p 'process.platform + "-" + process.arch')
mkdir "$out/app/node_modules"
cp -R node_modules/better-sqlite3 "$out/app/node_modules/"
cd "$out/app"
rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src node_modules/better-sqlite3/build
find node_modules -path '*/prebuilds/*' -type f ! -name "$arch.node" -delete

"$node" "$here/image/sbom.ts" "$here" . > sbom.spdx.json
find . -type d -empty -delete

cp "$node" "$out/usr/local/bin/node"
# Node's shared libraries, each where it stands here.
ldd "$node" node_modules/better-sqlite3/prebuilds/"$arch".node | grep -o '/[^ ]*' | grep -v ':$' | sort -u | while read -r library; do
  mkdir -p "$out$(dirname "$library")"
  cp -L "$library" "$out$library"
done
# What ldd does not show: names are looked up by the first three, and the ONNX Runtime of a mounted sentence model needs the last.
for library in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2 librt.so.1; do
  found=$(ldconfig -p | sed -n "s/.*$library .*=> //p" | head -n 1)
  if [ -n "$found" ]; then mkdir -p "$out$(dirname "$found")" && cp -L "$found" "$out$found"; fi
done
cp -L /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/root:/sbin/nologin\nsluice:x:65532:65532:sluice:/:/sbin/nologin\n' > "$out/etc/passwd"
printf 'root:x:0:\nsluice:x:65532:\n' > "$out/etc/group"
printf 'hosts: files dns\n' > "$out/etc/nsswitch.conf"
chmod 1777 "$out/tmp"
chmod -R u=rwX,go=rX "$out/app" "$out/usr" "$out/etc"
