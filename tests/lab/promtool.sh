#!/usr/bin/env bash
# Prometheus' own checker of /metrics, for tests/integration/metrics.rs: Debian's package, unpacked and not installed. 20 MB.
#
# Usage: promtool.sh     Exit 0 there, 77 it could not be had.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

place=$LAB_CACHE/promtool
[[ -x $place/usr/bin/promtool ]] && exit 0
mkdir -p "$place"
if ! (cd "$place" && apt-get download prometheus >/dev/null 2>&1 && dpkg -x prometheus_*.deb "$place"); then
    missing promtool "apt-get download prometheus failed"
    exit $NOT_SET_UP
fi
rm -f "$place"/prometheus_*.deb
