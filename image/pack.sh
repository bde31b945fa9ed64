#!/bin/sh
# image/pack.sh NAME:TAG ROOTFS OUT.tar [ENTRYPOINT…]: an image archive of a folder without any container tool; `podman load`, `docker load` and
# `ctr images import` take it. The same folder gives the same bytes.
set -eu
name=$1 rootfs=$2 out=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar -C "$rootfs" -cf "$work/layer.tar" .
digest=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
entrypoint=$(printf '"%s",' "$@" | sed 's/,$//')
printf '{"architecture":"%s","created":"1970-01-01T00:00:00Z","os":"linux","config":{"User":"65532:65532","Env":["PATH=/usr/local/bin:/usr/bin:/bin","NODE_ENV=production","NODE_OPTIONS=--max-semi-space-size=4","MALLOC_ARENA_MAX=2","MALLOC_MMAP_THRESHOLD_=8192","MALLOC_TRIM_THRESHOLD_=1048576"],"Entrypoint":[%s],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$arch" "$entrypoint" "$digest" > "$work/config.json"
config=$(sha256sum "$work/config.json" | cut -d' ' -f1)
mv "$work/config.json" "$work/$config.json"
printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$config" "$name" > "$work/manifest.json"
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar -C "$work" -cf "$out" layer.tar "$config.json" manifest.json
