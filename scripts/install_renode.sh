#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs Renode's portable build, pinned and verified, where tinyhil finds it: <cache>/renode, with <cache> being
# $TINYHIL_CACHE or ~/.cache/tinyhil. Does nothing where that version is there already.
#
# Usage: scripts/install_renode.sh [ARCHIVE]    ARCHIVE: the downloaded file, where this machine has no network.
# TINYHIL_RENODE_URL and TINYHIL_RENODE_SHA256, both or neither, name another archive: a mirror's, another version's.
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

url=${TINYHIL_RENODE_URL:-$RELEASES/v$VERSION/$name}
sha256=${TINYHIL_RENODE_SHA256:-$sha256}
if [[ -n ${TINYHIL_RENODE_URL:-} && -z ${TINYHIL_RENODE_SHA256:-} ]]; then
  say "TINYHIL_RENODE_URL names an archive, and TINYHIL_RENODE_SHA256 does not say what its SHA-256 must be."
  exit $MISSING
fi
if [[ -z ${TINYHIL_RENODE_URL:-} && -n ${TINYHIL_RENODE_SHA256:-} && $# == 0 ]]; then
  say "TINYHIL_RENODE_SHA256 is of an archive that TINYHIL_RENODE_URL does not name."
  exit $MISSING
fi

cache=${TINYHIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tinyhil}
folder=$cache/renode
if [[ -x $folder/renode && -r $folder/.tinyhil-sha256 && $(<"$folder/.tinyhil-sha256") == "$sha256" ]]; then
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
  archive=$work/archive.tar.gz
  say "fetching $url"
  if ! python3 - "$url" "$archive" <<'FETCH'; then
import shutil
import sys
import urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=30) as reply, open(sys.argv[2], "wb") as file:
        shutil.copyfileobj(reply, file)
        if reply.length:
            raise OSError(f"the connection ended {reply.length:,} bytes too early")
except (OSError, ValueError) as error:
    sys.exit(f"install_renode: {error}")
FETCH
    say "it could not be fetched. Where there is no network, bring the file here by other means, then run: $0 FILE"
    exit $MISSING
  fi
fi

actual=$(sha256sum "$archive" | cut -d ' ' -f 1)
if [[ $actual != "$sha256" ]]; then
  say "that is not $(basename "$url"): its SHA-256 is $actual, and $sha256 is wanted. Nothing was installed."
  exit $MISSING
fi

mkdir "$work/renode"
if ! tar -xzf "$archive" -C "$work/renode" --strip-components=1; then
  say "the archive cannot be unpacked. Nothing was installed."
  exit $MISSING
fi
if [[ ! -x $work/renode/renode ]]; then
  say "the archive holds no program named renode. Nothing was installed."
  exit $MISSING
fi
echo "$sha256" >"$work/renode/.tinyhil-sha256"
rm -rf "$folder"
mv "$work/renode" "$folder"
echo "$folder/renode"
