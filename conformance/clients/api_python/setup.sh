#!/usr/bin/env bash
# Install Centrifugo's API client for Python, pinned, into a folder of its own: setup.sh [DIR]
# DIR defaults to $API_PYTHON_DIR, else target/conformance/api_python. Needs python3.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-${API_PYTHON_DIR:-$here/../../../target/conformance/api_python}}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
want=$(cat "$here/requirements.txt" "$here/setup.sh" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/.stamp" 2>/dev/null || true)" = "$want" ]; then
    echo "api_python: already installed in $dir"
    exit 0
fi
python3 -m venv --clear "$dir/venv"
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 "$dir/venv/bin/python" -m pip install -q -r "$here/requirements.txt"
echo "$want" >"$dir/.stamp"
echo "api_python: installed in $dir"
