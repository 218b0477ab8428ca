#!/usr/bin/env bash
# Install Autobahn|Testsuite (wstest) into a folder of its own. Safe to call again: it does
# nothing when what is there is whole and current.
#
#   setup.sh [DIR]          DIR defaults to $AUTOBAHN_DIR, else target/conformance/autobahn
#
# wstest runs on Python 2.7 only. The interpreter is, in this order:
#   1. $PYTHON27, when set
#   2. a python2.7 on PATH or under pyenv that works
#   3. Debian bullseye's python2.7, taken from the very mirror this machine's apt already uses and
#      unpacked under DIR (nothing is installed system-wide). NO_APT=1 forbids this step;
#      FORCE_APT=1 takes it even though 2 would do.
# Everything else comes from PyPI by name, pinned in requirements.txt. Needs python3 with pip, and a C
# compiler for one small extension (wsaccel: without it wstest masks and validates in pure Python).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-${AUTOBAHN_DIR:-$here/../../target/conformance/autobahn}}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
unset PYTHONPATH PYTHONHOME PYENV_VERSION || true

want=$(cat "$here/requirements.txt" "$here/wstest_loopback.py" "$here/setup.sh" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/.stamp" 2>/dev/null || true)" = "$want" ] && "$dir/bin/wstest" -a >/dev/null 2>&1; then
    echo "autobahn: already installed in $dir"
    exit 0
fi

say() { echo "autobahn: $*"; }

# What is removed below is only ever what this script made: DIR is marked on the first call.
if [ ! -e "$dir/.autobahn" ]; then
    for d in bin boot venv py27 apt; do
        [ ! -e "$dir/$d" ] || { say "$dir/$d is there already and not this script's; choose another folder" >&2; exit 1; }
    done
    touch "$dir/.autobahn"
fi
rm -rf "${dir:?}/.stamp" "${dir:?}/venv" "${dir:?}/boot" "${dir:?}/bin"

# Does it run, is it 2.7, and can it do what pip and wstest ask of it (C headers included)?
usable() {
    "$1" - >/dev/null 2>&1 <<'PY'
import sys, ssl, zlib, ctypes, hashlib, json, os
from distutils import sysconfig
assert sys.version_info[:2] == (2, 7)
places = [sysconfig.get_python_inc()] + os.environ.get('CPATH', '').split(':')
assert any(os.path.exists(os.path.join(p, 'Python.h')) for p in places if p)
PY
}

find_python27() {
    local c
    if [ -n "${PYTHON27:-}" ]; then
        usable "$PYTHON27" || { say "PYTHON27=$PYTHON27 does not work" >&2; return 1; }
        echo "$PYTHON27"
        return
    fi
    [ -z "${FORCE_APT:-}" ] || return 1
    for c in $(type -ap python2.7 python2 2>/dev/null) \
             "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7; do
        if [ -x "$c" ] && usable "$c"; then
            # The interpreter itself, not a shim that asks where it stands each time.
            "$c" -c 'import sys, os; print(os.path.realpath(sys.executable))'
            return
        fi
    done
    return 1
}

# Debian bullseye's python2.7, unpacked under $dir/py27. Its own apt state: the system's is not touched.
unpack_python27() {
    local root=$dir/py27 apt=$dir/apt uri key opts d
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        say "no apt here" >&2
        return 1
    fi
    # shellcheck disable=SC2016  # apt's own placeholders
    uri=$(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' |
        awk -F'|' '$3 == "main" && $2 !~ /-/ && $1 ~ /\/debian\/?$/ { print $1; exit }')
    [ -n "$uri" ] || { say "no Debian main mirror among apt's sources" >&2; return 1; }
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$key" ] && key="[signed-by=$key] " || key=
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs" "$apt/sources.d"
    echo "deb ${key}$uri bullseye main" >"$apt/sources.d/bullseye.list"
    opts=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$apt/sources.d"
          -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=root"
          -o "Acquire::Languages=none" -o "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false" -qq)
    apt-get "${opts[@]}" update
    (cd "$apt/debs" && rm -f ./*.deb && apt-get "${opts[@]}" download \
        python2.7 python2.7-minimal libpython2.7-minimal libpython2.7-stdlib libpython2.7-dev libssl1.1 libffi7)
    rm -rf "$root"
    mkdir -p "$root"
    for d in "$apt/debs"/*.deb; do dpkg -x "$d" "$root"; done
}

libs=
if python=$(find_python27); then
    say "python2.7: $python"
elif [ -n "${PYTHON27:-}" ] || [ -n "${NO_APT:-}" ]; then
    say "no usable python2.7 (set PYTHON27, or leave NO_APT unset)" >&2
    exit 1
else
    say "no usable python2.7 here; unpacking Debian bullseye's under $dir/py27"
    unpack_python27
    python=$dir/py27/usr/bin/python2.7
    # Its two libraries that bookworm no longer has, and its headers, stand under DIR as well.
    libs=$(echo "$dir"/py27/usr/lib/*-linux-gnu)
    export CPATH="$dir/py27/usr/include/python2.7:$dir/py27/usr/include"
    LD_LIBRARY_PATH=$libs usable "$python" || { say "the unpacked python2.7 does not work" >&2; exit 1; }
fi
with_libs() { env ${libs:+LD_LIBRARY_PATH="$libs"} "$@"; }

# 20.21.1 is the last virtualenv that makes Python 2.7 environments.
say "making the environment"
python3 -m pip install -q --no-warn-script-location --target "$dir/boot" 'virtualenv==20.21.1'
with_libs env PYTHONPATH="$dir/boot" python3 -m virtualenv -q --no-periodic-update \
    --app-data "$dir/boot/app-data" -p "$python" "$dir/venv"

say "installing wstest"
with_libs "$dir/venv/bin/python" -W ignore -m pip install -q -r "$here/requirements.txt" 2>&1 |
    { grep -v -e '^DEPRECATION' || true; }

mkdir -p "$dir/bin"
cp "$here/wstest_loopback.py" "$dir/bin/wstest_loopback.py"
{
    echo '#!/bin/sh'
    [ -z "$libs" ] || echo "export LD_LIBRARY_PATH=\"$libs:\${LD_LIBRARY_PATH:-}\""
    echo "exec \"$dir/venv/bin/python\" -u \"$dir/bin/wstest_loopback.py\" \"\$@\""
} >"$dir/bin/wstest"
chmod +x "$dir/bin/wstest"
"$dir/bin/wstest" -a
with_libs "$dir/venv/bin/python" -c 'import wsaccel'
echo "$want" >"$dir/.stamp"
say "installed in $dir"
