#!/usr/bin/env bash
# Install the peers, pinned, into a folder of their own: setup.sh [DIR]
# DIR defaults to $PEERS_DIR, else target/conformance/peers. Needs npm and python3. Chromium is not installed here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-${PEERS_DIR:-$here/../../target/conformance/peers}}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
want=$(cat "$here/package-lock.json" "$here/requirements.txt" "$here/setup.sh" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/.stamp" 2>/dev/null || true)" = "$want" ]; then
    echo "peers: already installed in $dir"
    exit 0
fi
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$dir/"
(cd "$dir" && npm ci --ignore-scripts --silent)
python3 -m venv --clear "$dir/venv"
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 "$dir/venv/bin/python" -m pip install -q -r "$here/requirements.txt"
echo "$want" >"$dir/.stamp"
echo "peers: installed in $dir"
