#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs Renode's portable build, pinned and verified, where tinyhil finds it: <cache>/renode, with <cache> being
# $TINYHIL_CACHE or ~/.cache/tinyhil. Does nothing where that version is there already.
#
# Usage: scripts/install_renode.sh [ARCHIVE]    ARCHIVE: the downloaded file, where this machine has no network.
# Exits 22 where it cannot be installed, after saying why.
set -euo pipefail

readonly VERSION=1.16.1 MISSING=22
readonly RELEASES=https://github.com/renode/renode/releases/download

say() { echo "install_renode: $*" >&2; }

case $(uname -sm) in
  'Linux x86_64')
    name=renode-$VERSION.linux-portable-dotnet.tar.gz
    sha256=00e113cdbd0f5354cf2f64bbe3f5a070d8958409542fca66e45ac97d982938c0
    ;;
  'Linux aarch64')
    name=renode-$VERSION.linux-arm64-portable-dotnet.tar.gz
    sha256=fff3a098c96ed0a4ffbdff3f028c9c5fde432db09587c7bd7c99406180f90007
    ;;
  *)
    say "there is no portable build for $(uname -sm): install Renode from https://renode.io and set RENODE to its folder."
    exit $MISSING
    ;;
esac

cache=${TINYHIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tinyhil}
folder=$cache/renode
if [[ -x $folder/renode && -r $folder/.tinyhil-version && $(<"$folder/.tinyhil-version") == "$VERSION" ]]; then
  echo "$folder/renode"
  exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/.renode.XXXXXX")
trap 'rm -rf "$work"' EXIT

archive=${1:-}
if [[ -n $archive ]]; then
  if [[ ! -r $archive ]]; then
    say "$archive cannot be read."
    exit $MISSING
  fi
else
  archive=$work/$name
  say "fetching $RELEASES/v$VERSION/$name"
  if ! command -v curl >/dev/null 2>&1; then
    say "curl is not installed. Fetch that file by other means, then run: $0 FILE"
    exit $MISSING
  fi
  if ! curl --fail --location --silent --show-error --connect-timeout 20 --retry 2 -o "$archive" \
    "$RELEASES/v$VERSION/$name"; then
    say "it could not be fetched. Where there is no network, bring the file here by other means, then run: $0 FILE"
    exit $MISSING
  fi
fi

actual=$(sha256sum "$archive" | cut -d ' ' -f 1)
if [[ $actual != "$sha256" ]]; then
  say "$archive is not $name: its SHA-256 is $actual, and $sha256 is wanted. Nothing was installed."
  exit $MISSING
fi

mkdir "$work/renode"
tar -xzf "$archive" -C "$work/renode" --strip-components=1
if [[ ! -x $work/renode/renode ]]; then
  say "the archive holds no program named renode. Nothing was installed."
  exit $MISSING
fi
echo "$VERSION" >"$work/renode/.tinyhil-version"
rm -rf "$folder"
mv "$work/renode" "$folder"
echo "$folder/renode"
