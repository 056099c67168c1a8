#!/usr/bin/env bash
# Holds a running server against its own OpenAPI document: schemathesis asks every request with right and wrong data.
#
# Usage: run.sh [schemathesis' own options]     Exit 0 all holds, 1 it doesn't, 77 schemathesis could not be had (said loudly).
# Its Python lies in ${GOVORUN_LAB:-~/.cache/govorun-lab}/schemathesis; the server is target/debug/govorun unless GOVORUN names another.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
place=${GOVORUN_LAB:-$HOME/.cache/govorun-lab}/schemathesis
program=${GOVORUN:-$root/target/debug/govorun}

mkdir -p "$place"
if ! cmp -s "$place/venv.ready" "$here/requirements.txt"; then
    rm -rf "$place/venv"
    if ! { python3 -m venv "$place/venv" && "$place/venv/bin/pip" install -q -r "$here/requirements.txt"; } >"$place/setup.log" 2>&1; then
        echo "SKIP: schemathesis could not be installed: $(tail -n 2 "$place/setup.log" | tr '\n' ' ')" >&2
        exit 77
    fi
    cp "$here/requirements.txt" "$place/venv.ready"
fi

work=$(mktemp -d)
server=''
leave() {
    local code=$?
    [[ -n $server ]] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    ((code == 0)) && rm -rf "$work" || echo "logs are in $work" >&2
    exit "$code"
}
trap leave EXIT

# No Asterisk is there: orders are taken and wait, which is all that HTTP needs.
mkdir -p "$work/sounds" "$work/recordings"
cat >"$work/govorun.yaml" <<YAML
scripts: {folder: $root/scripts}
http: {listen: "127.0.0.1:0", tokens: [schemathesis]}
asterisk: {ami: "127.0.0.1:9", secret: x, agi_listen: "127.0.0.1:0", sounds: $work/sounds, recordings: $work/recordings}
media: {audiosocket_listen: "127.0.0.1:0", websocket_listen: "127.0.0.1:0"}
recognizers: [typed]
YAML
NO_COLOR=1 "$program" serve -c "$work/govorun.yaml" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    url=$(sed -n 's/.*http=\([0-9.]*:[0-9]*\).*/http:\/\/\1/p' "$work/server.log" | head -n 1)
    [[ -n $url ]] && break
    sleep 0.1
done
[[ -n ${url:-} ]] || { echo "the server didn't start:" >&2; tail -n 20 "$work/server.log" >&2; exit 1; }

cd "$work" || exit 1
"$place/venv/bin/st" --config-file "$here/schemathesis.toml" run "$url/api/v1/openapi.json" -H "Authorization: Bearer schemathesis" \
    --seed 1 --continue-on-failure "$@"
