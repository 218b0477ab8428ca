#!/usr/bin/env bash
# Install Centrifugo's clients for JavaScript and Python, pinned, into a folder of their own: setup.sh [DIR]
# DIR defaults to $CLIENTS_DIR, else target/conformance/clients. Needs npm and python3. Chromium is not installed here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-${CLIENTS_DIR:-$here/../../target/conformance/clients}}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# installed NAME FILE...: whether NAME was installed as these files say; its stamp-to-be is then in $want.
installed() {
    local name=$1
    shift
    want=$(cat "$@" "$here/setup.sh" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$dir/.stamp-$name" 2>/dev/null || true)" = "$want" ]
}

if ! installed js "$here/js/package.json" "$here/js/package-lock.json"; then
    cp "$here/js/package.json" "$here/js/package-lock.json" "$here/js/.npmrc" "$dir/"
    (cd "$dir" && npm ci --ignore-scripts --silent)
    echo "$want" >"$dir/.stamp-js"
fi
if ! installed python "$here/python/requirements.txt"; then
    python3 -m venv --clear "$dir/venv"
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 "$dir/venv/bin/python" -m pip install -q -r "$here/python/requirements.txt"
    echo "$want" >"$dir/.stamp-python"
fi
echo "clients: installed in $dir"
