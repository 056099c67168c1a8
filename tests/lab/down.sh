#!/usr/bin/env bash
# Stops what up.sh or asr_up.sh started with DIR. Logs, sounds and recordings stay.
#
# Usage: down.sh DIR [--kill]     (--kill: SIGKILL, as a crash; else a clean stop)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ -d ${1:-} ]] || die "usage: down.sh DIR [--kill]; '${1:-}' is no folder"
pid=$(cat "$1/pid" 2>/dev/null || true)
word=/lab/
[[ -e $1/asr.log ]] && word=vosk_server.py
if [[ ${2:-} == --kill ]] && runs "$pid" "$word"; then kill -KILL "$pid"; fi
stop "$pid" "$word"
rm -f "$1/pid"
