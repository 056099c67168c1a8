#!/usr/bin/env bash
# What a build with the cargo feature `sherpa` needs: the shared libraries of sherpa-onnx (a package on PyPI, 10 MB), and toy models for its tests.
#
# Usage: setup.sh     prints, ready for `eval`, where they are:
#   export SHERPA_ONNX_LIB_DIR=...    for cargo
#   export GOVORUN_SHERPA_TOY=...     for the tests
#
# All of it goes to ${GOVORUN_LAB:-~/.cache/govorun-lab}/sherpa; what is there already is kept. Exit 0: all is there. Exit 77: it could not be
# had (said loudly). Needs python3 and, where pip is missing, python3-venv (installed if root).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

VERSION=2.0.1 # the one that Cargo.lock has: the C structures have to match
here=$LAB_REPO/tests/lab/sherpa
dir=$LAB_CACHE/sherpa
libs=$dir/$VERSION

absent() {
    missing "sherpa-onnx" "$*"
    exit "$NOT_SET_UP"
}

command -v python3 >/dev/null || absent "there is no python3"
grep -A1 '^name = "sherpa-onnx-sys"' "$LAB_REPO/Cargo.lock" | grep -q "\"$VERSION\"" ||
    die "Cargo.lock has another version of sherpa-onnx-sys than $VERSION: change VERSION in tests/lab/sherpa/setup.sh"
mkdir -p "$dir"
exec 9>"$dir/setup.lock"
flock 9

if [[ ! -e $libs/lib/libsherpa-onnx-c-api.so ]]; then
    work=$dir/part
    rm -rf "$work"
    mkdir -p "$work"
    # Debian has pip only inside a venv, and ensurepip in a package of its own.
    pip=(python3 -m pip)
    if ! "${pip[@]}" --version >/dev/null 2>&1; then
        [[ $EUID == 0 ]] && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv >"$dir/setup.log" 2>&1 || true
        python3 -m venv "$work/venv" >/dev/null 2>&1 || absent "python3 has neither pip nor venv: apt-get install python3-venv"
        pip=("$work/venv/bin/pip")
    fi
    "${pip[@]}" download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$work" "sherpa-onnx-core==$VERSION" >"$dir/setup.log" 2>&1 ||
        absent "sherpa-onnx-core $VERSION could not be fetched: $(tail -n 1 "$dir/setup.log")"
    python3 -m zipfile -e "$work"/*.whl "$work/wheel"
    rm -rf "$libs"
    mkdir -p "$libs"
    mv "$work/wheel/sherpa_onnx/lib" "$libs/lib"
    rm -rf "$work"
fi
python3 "$here/make_toy_model.py" "$dir/toy"
say "sherpa-onnx $VERSION and its toy models are in $dir"
printf 'export SHERPA_ONNX_LIB_DIR=%q\nexport GOVORUN_SHERPA_TOY=%q\n' "$libs/lib" "$dir/toy"
