#!/usr/bin/env bash
# Run every suite on Antiphon, both ways: run.sh quick|full
#
#   quick   Autobahn's quick set, the matrix, the peers with 2,000 random messages each, Centrifugo's clients, the proxies
#   full    Autobahn's 517 cases, the matrix with its slow cases, the peers with 100,000 messages each, longer silences
#
# Nothing is built here. In the environment:
#   ANTIPHON_BIN       the server's binary (default target/debug/antiphon)
#   ECHO_CLIENT_BIN    an echo client, run as `BIN URL --deflate` (default target/debug/examples/echo_client)
#   ECHO_SERVER_BIN    an echo server on the library, run as `BIN ADDRESS:PORT --deflate`; left out where unset
#   CONFORMANCE_DIR    where wstest and the peers are installed (default target/conformance)
#
# The last line sums up: `N passed, N failed, N skipped`. Exit status 1 if anything failed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
set_name=${1:-}
case $set_name in
    quick) autobahn=quick messages=2000 matrix=() ;;
    full) autobahn=full messages=100000 matrix=(--slow) ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d' >&2; exit 2 ;;
esac
server_bin=${ANTIPHON_BIN:-$root/target/debug/antiphon}
client_bin=${ECHO_CLIENT_BIN:-$root/target/debug/examples/echo_client}
library_bin=${ECHO_SERVER_BIN:-}
dir=${CONFORMANCE_DIR:-$root/target/conformance}
export AUTOBAHN_DIR=$dir/autobahn PEERS_DIR=$dir/peers CLIENTS_DIR=$dir/clients API_PYTHON_DIR=$dir/api_python
for bin in "$server_bin" "$client_bin" ${library_bin:+"$library_bin"}; do
    [ -x "$bin" ] || { echo "conformance: there is no $bin: build it first" >&2; exit 2; }
done
"$here/autobahn/setup.sh"
"$here/peers/setup.sh"

work=$(mktemp -d)
running=()
stop() {
    for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# listen NAME COMMAND...: starts a server with {port} replaced; its URL is then in $url.
listen() {
    local name=$1 port words
    shift
    port=$(free_port)
    words=("${@//\{port\}/$port}")
    "${words[@]}" >"$work/$name.log" 2>&1 &
    running+=($!)
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            url=ws://127.0.0.1:$port/echo
            return
        fi
        sleep 0.1
    done
    echo "conformance: $name does not listen:" >&2
    tail -n 5 "$work/$name.log" >&2
    exit 2
}

passed=0 failed=0 skipped=0 summary=()
# suite NAME COMMAND...: runs it, and takes its last line into the sum.
suite() {
    local name=$1 last counts started=$SECONDS
    shift
    echo "== $name"
    "$@" | tee "$work/out" || true
    last=$(tail -n 1 "$work/out")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        counts=("${BASH_REMATCH[@]:1}")
    else
        echo "conformance: $name ended without a sum" >&2
        counts=(0 1 0)
    fi
    passed=$((passed + counts[0])) failed=$((failed + counts[1])) skipped=$((skipped + counts[2]))
    summary+=("$(printf '%-44s %6d %6d %6d %5d s' "$name" "${counts[@]}" $((SECONDS - started)))")
}

# Antiphon's promises are stricter than the RFC where that leaves a choice.
limits=(--max-message $((16 << 20)) --max-fragments 131072 --strict)
printf '[websocket]\ncompression = true\n\n[echo]\nenabled = true\n' >"$work/compressed.toml"
listen plain "$server_bin" serve --listen "127.0.0.1:{port}" --log warn
plain=$url
listen compressed "$server_bin" serve --config "$work/compressed.toml" --listen "127.0.0.1:{port}" --log warn
compressed=$url
client=("$client_bin" "{url}" --deflate)

suite "matrix, server" python3 "$here/matrix" server "$plain" "${limits[@]}" --check-origin "${matrix[@]}"
suite "matrix, server with compression" \
    python3 "$here/matrix" server "$compressed" "${limits[@]}" --check-origin --expect-deflate "${matrix[@]}"
suite "matrix, client" python3 "$here/matrix" client "${limits[@]}" "${matrix[@]}" -- "$client_bin" "{url}"
suite "matrix, client with compression" \
    python3 "$here/matrix" client "${limits[@]}" --expect-deflate "${matrix[@]}" -- "${client[@]}"
suite "Autobahn $autobahn, server" python3 "$here/autobahn" server "$compressed" "$autobahn" --agent antiphon
suite "Autobahn $autobahn, client" python3 "$here/autobahn" client "$autobahn" --agent antiphon -- "${client[@]}"
suite "peers, server" python3 "$here/peers" server "$plain" --messages $((messages / 10))
suite "peers, server with compression" python3 "$here/peers" server "$compressed" --deflate --messages "$messages"
suite "peers, client" python3 "$here/peers" client --deflate --messages "$messages" -- "${client[@]}"
suite "Centrifugo's clients" env ANTIPHON_BIN="$server_bin" "$here/clients/run" "$set_name"
suite "intermediaries" env ANTIPHON_BIN="$server_bin" node "$here/intermediaries/main.mjs" "$set_name"
if [ -n "$library_bin" ]; then
    listen library "$library_bin" "127.0.0.1:{port}" --deflate
    suite "matrix, library's server" python3 "$here/matrix" server "$url" "${limits[@]}" --expect-deflate "${matrix[@]}"
fi

printf '\n%-44s %6s %6s %6s\n' "$set_name" passed failed skipped
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
