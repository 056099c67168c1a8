#!/usr/bin/env bash
# Starts the recognizer behind the Vosk protocol on ws://127.0.0.1:PORT. Returns when it is ready.
#
# Usage: asr_up.sh PORT DIR     (PORT 0: a free one; DIR gets lab.env with ASR_PORT and ASR_PID, and asr.log)
#
# Exit 0 ready, 77 not set up (setup.sh asr), 1 it did not start. Stop it with down.sh DIR.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ ${1:-} =~ ^[0-9]+$ && -n ${2:-} ]] || die "usage: asr_up.sh PORT DIR"
port=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
asr=$LAB_CACHE/asr
if [[ ! -e $asr/ggml-base.bin || ! -e $asr/venv.ready ]]; then
    missing "the recognizer" "$asr is not complete: run tests/lab/setup.sh asr"
    exit $NOT_SET_UP
fi
pid=$(cat "$dir/pid" 2>/dev/null || true)
if runs "$pid" vosk_server.py && grep -q "^ASR_ASKED=$port$" "$dir/lab.env" 2>/dev/null; then
    say "the recognizer is up already"
    exit 0
fi
stop "$pid" vosk_server.py
setsid "$asr/venv/bin/python" "$LAB_HERE/asr/vosk_server.py" "$port" "$asr/ggml-base.bin" >"$dir/asr.log" 2>&1 </dev/null &
pid=$!
echo $pid >"$dir/pid"
for _ in {1..300}; do
    if got=$(grep -oE '^listening on [0-9]+' "$dir/asr.log"); then
        printf 'ASR_PORT=%s\nASR_PID=%s\nASR_ASKED=%s\n' "${got##* }" "$pid" "$port" >"$dir/lab.env"
        say "the recognizer is up on ${got##* }"
        exit 0
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
tail -n 20 "$dir/asr.log" >&2
die "the recognizer did not start"
