#!/usr/bin/env bash
# Sets up the genuine vosk recognizer with a small model, for tests/vosk.rs. No root; about a minute, 250 MB.
#
# Usage: setup.sh     Exit 0 ready, 77 it could not be had here (said loudly).
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

here=$LAB_HERE/vosk
place=$LAB_CACHE/vosk
mkdir -p "$place"
exec 8>"$place/setup.lock"
flock 8
if ! cmp -s "$place/venv.ready" "$here/requirements.txt"; then
    rm -rf "$place/venv"
    if ! { python3 -m venv "$place/venv" && "$place/venv/bin/pip" install -q -r "$here/requirements.txt"; } >"$place/setup.log" 2>&1; then
        missing "vosk" "$(tail -n 3 "$place/setup.log" | tr '\n' ' ') (all of it: $place/setup.log)"
        exit $NOT_SET_UP
    fi
    cp "$here/requirements.txt" "$place/venv.ready"
fi
say "vosk is ready"
