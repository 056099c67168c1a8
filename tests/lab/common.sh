# What the lab's scripts share. Sourced, never run.

LAB_CACHE=${GOVORUN_LAB:-$HOME/.cache/govorun-lab}
LAB_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_REPO=$(cd "$LAB_HERE/../.." && pwd)

NOT_SET_UP=77 # the exit code for "the lab cannot be had here": a test counts a skip, not a failure

say() { printf 'lab: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}
# missing WHAT WHY: so loud that nobody takes a skip for a pass.
missing() {
    printf '\n%s\nLAB NOT SET UP: %s\n  %s\n%s\n\n' "$(printf '!%.0s' {1..78})" "$1" "$2" "$(printf '!%.0s' {1..78})" >&2
}

# root_of VERSION: the folder with that Asterisk's Debian; exists only when it is complete.
root_of() { printf '%s/asterisk-%s' "$LAB_CACHE" "$1"; }

# runs PID WORD: is that process alive, and is it ours (WORD is in its command line)?
runs() { [[ -n ${1:-} && -r /proc/$1/cmdline && $(tr '\0' ' ' <"/proc/$1/cmdline") == *"$2"* ]]; }

# stop PID WORD: ends that process if it is ours; SIGKILL after 5 s.
stop() {
    runs "$1" "$2" || return 0
    kill -TERM "$1" 2>/dev/null || true
    for _ in {1..50}; do
        runs "$1" "$2" || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
    sleep 0.1
}
