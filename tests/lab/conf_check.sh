#!/usr/bin/env bash
# Did the Asterisk that up.sh started take asterisk-conf/ as it is meant? Every complaint of its log while it loaded is a fault.
#
# Usage: conf_check.sh DIR     Exit 0 sound, 1 not: the lines are printed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "${1:?usage: conf_check.sh DIR}/lab.env"
bad=0

# Nothing is excused: the lab loads only modules that have their configuration.
complaints=$(sed '/Asterisk Ready/q' "$LAB_LOG" | grep -E '\] (WARNING|ERROR)\[' || true)
if [[ -n $complaints ]]; then
    printf '%s\n' "$complaints"
    bad=1
fi

# holds COMMAND TEXT: does Asterisk's answer to the command have the text?
holds() {
    local shown
    shown=$(chroot "$LAB_ROOT" asterisk -C "$LAB_CONF_ASTERISK" -rx "$1")
    grep -qF -- "$2" <<<"$shown" && return 0
    printf 'asterisk -rx "%s" does not show: %s\n' "$1" "$2"
    bad=1
}
holds 'manager show user govorun' 'username: govorun'
holds 'manager show user govorun' 'write perm: system,call,reporting,originate'
holds 'manager show settings' '127.0.0.1:'"$LAB_AMI_PORT"
holds 'http show status' 'Server Disabled'
holds 'dialplan show govorun-in' 'AGI(${GOVORUN_AGI}/confirm_visit)'
holds 'dialplan show govorun-in' 'AGI(${GOVORUN_AGI}/inbound)'
holds 'dialplan show globals' 'GOVORUN_AGI=agi://127.0.0.1:4573'
holds 'pjsip show endpoint trunk' 'direct_media                       : false'
holds 'pjsip show endpoint trunk' "127.0.0.1:$LAB_SIP_PORT"
holds 'pjsip show aor trunk' "sip:127.0.0.1:$LAB_PEER_SIP_PORT"
if ((LAB_VERSION >= 20)); then
    holds 'module show like chan_websocket' Running
    holds 'module show like app_audiosocket' Running
fi
holds 'module show like res_agi' Running
holds 'module show like app_chanspy' Running
holds 'module show like chan_rtp' Running
exit $bad
