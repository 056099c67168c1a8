#!/usr/bin/env bash
# Starts one Asterisk with asterisk-conf/ and the lab's people, everything bound to 127.0.0.1. Returns when it is ready.
#
# Usage: up.sh 16|22 PORTBASE DIR [--peer PORTBASE] [--media PORT] [--steady]
#
#   PORTBASE   AMI listens there, SIP on PORTBASE+2, RTP on PORTBASE+10 to PORTBASE+89; trunk2 leads to SIP on PORTBASE+96
#   DIR        gets lab.env (see README.md) and links to the instance's folders
#   --peer     PORTBASE of the Asterisk at the other end of the SIP trunk (it may start later)
#   --media    the port in websocket_client.conf: where the server under test takes chan_websocket's audio
#   --steady   people who are silent still send 50 packets a second, as real telephones do; else they send nothing at all
#
# Up already with the same arguments: it stays. Up with others: it is started anew. The folder `sounds` outlives a restart.
# Exit 0 ready, 77 that Asterisk is not set up (setup.sh), 1 it did not start: the log's end is shown.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage="usage: up.sh 16|22 PORTBASE DIR [--peer PORTBASE] [--media PORT] [--steady]"
[[ ${1:-} =~ ^(16|22)$ && ${2:-} =~ ^[0-9]+$ && -n ${3:-} ]] || die "$usage"
version=$1 base=$2
mkdir -p "$3"
dir=$(cd "$3" && pwd)
shift 3
peer=$((base + 1)) media=4575 steady=no # nobody is there
while (($#)); do
    if [[ $1 == --steady ]]; then
        steady=yes
        shift
        continue
    fi
    [[ ${2:-} =~ ^[0-9]+$ ]] || die "$usage"
    case $1 in
    --peer) peer=$(($2 + 2)) ;;
    --media) media=$2 ;;
    *) die "$usage" ;;
    esac
    shift 2
done

root=$(root_of "$version")
if [[ ! -d $root ]]; then
    missing "Asterisk $version" "$root does not exist: run tests/lab/setup.sh"
    exit $NOT_SET_UP
fi

inside=/lab/$base # where Asterisk sees the instance
home=$root$inside
asked="$version $base $peer $media $steady"
pid=$(cat "$dir/pid" 2>/dev/null || true)
if runs "$pid" "$inside/etc" && [[ $(cat "$dir/asked" 2>/dev/null) == "$asked" ]]; then
    say "Asterisk $version is up on $base already"
    exit 0
fi
# A run that was killed may have left its Asterisk behind, under another DIR.
for old in "$pid" "$(cat "$home/pid" 2>/dev/null || true)"; do stop "$old" "$inside/etc"; done

[[ $(cat "$home/owner" 2>/dev/null) == "$dir" ]] || rm -rf --one-file-system "$home"
rm -rf "$home"/{etc,run,log,lib,people}
mkdir -p "$home"/{etc,run,log,lib,cache,people,sounds,spool/monitor,spool/tmp}
echo "$dir" >"$home/owner"
cp "$LAB_REPO"/tests/fixtures/audio/{ru,cases,answerers}/*.wav "$home/people/"
# said-NN: the manifest's phrases by their number.
while IFS=$'\t' read -r number file _; do
    ln "$home/people/$file" "$home/people/said-$number.wav"
done < <(awk -F'\t' 'NR > 1 { printf "%02d\t%s\n", NR - 1, $1 }' "$LAB_REPO/tests/fixtures/audio/ru/manifest.tsv")
# who-NN: people and machines that answer.
while IFS=$'\t' read -r number file _; do
    ln "$home/people/$file" "$home/people/who-$number.wav"
done < <(awk -F'\t' 'NR > 1 { printf "%02d\t%s\n", NR - 1, $1 }' "$LAB_REPO/tests/fixtures/audio/answerers/manifest.tsv")

# What the admin copies, with the lab's ports, and with the lab's people behind the trunk.
for file in "$LAB_REPO/asterisk-conf/$version"/*.conf; do
    sed -E -e "s/^port = 5038\b/port = $base/" \
        -e "s/^bind = 127\.0\.0\.1:5060\b/bind = 127.0.0.1:$((base + 2))/" \
        -e "s/^contact = sip:127\.0\.0\.1:5062\b/contact = sip:127.0.0.1:$peer/" \
        -e "s#^uri = ws://127\.0\.0\.1:4575/#uri = ws://127.0.0.1:$media/#" \
        -e 's/^context = govorun-in\b/context = lab-trunk/' \
        "$file" >"$home/etc/$(basename "$file")"
done
# A second trunk, to whom nobody belongs unless a test starts SIPp there.
cat >>"$home/etc/pjsip.conf" <<END

[trunk2]
type = endpoint
transport = transport-udp
context = lab-trunk
disallow = all
allow = alaw
aors = trunk2
direct_media = no
dtmf_mode = rfc4733
[trunk2]
type = aor
contact = sip:127.0.0.1:$((base + 96))
END
# Around it: what a distribution's Asterisk has anyway.
{
    printf '\n#include "phones.conf"\n'
    printf '[globals](+)\nPEOPLE=%s\n' "$inside/people"
} >>"$home/etc/extensions.conf"
cp "$LAB_HERE/conf/phones.conf" "$home/etc/"
# The distribution's own, as they come: without them Asterisk complains.
for file in acl ccss cdr cel features geolocation indications pjproject stasis statsd udptl chan_websocket; do
    [[ -e $root/etc/asterisk/$file.conf ]] && cp "$root/etc/asterisk/$file.conf" "$home/etc/"
done
modules=$(dirname "$(ls "$root"/usr/lib/asterisk/modules/res_agi.so "$root"/usr/lib/*/asterisk/modules/res_agi.so 2>/dev/null | head -n 1)")
cat >"$home/etc/asterisk.conf" <<END
[directories]
astetcdir => $inside/etc
astmoddir => ${modules#"$root"}
astvarlibdir => $inside/lib
astdbdir => $inside/lib
astkeydir => $inside/lib
astcachedir => $inside/cache
astdatadir => /usr/share/asterisk
astagidir => /usr/share/asterisk/agi-bin
astspooldir => $inside/spool
astrundir => $inside/run
astlogdir => $inside/log
astsbindir => /usr/sbin
[options]
transmit_silence = $steady
END
cat >"$home/etc/logger.conf" <<END
[general]
dateformat = %F %T.%3q
[logfiles]
full => notice,warning,error,verbose
END
cat >"$home/etc/rtp.conf" <<END
[general]
rtpstart = $((base + 10))
rtpend = $((base + 89))
END
# Named one by one: without the drivers for hardware and databases Asterisk is up in a second, and its log has only what concerns us.
{
    printf '[modules]\nautoload = no\n'
    while read -r pattern; do
        [[ -z $pattern || $pattern == \#* ]] && continue
        for file in "$modules"/$pattern.so; do [[ -e $file ]] && printf 'load = %s\n' "$(basename "$file")"; done
    done <"$LAB_HERE/conf/modules.list" | awk '!seen[$0]++'
} >"$home/etc/modules.conf"

setsid chroot "$root" asterisk -C "$inside/etc/asterisk.conf" -f -n -vvv >"$home/log/console" 2>&1 </dev/null 9>&- &
pid=$!
echo $pid >"$home/pid"
echo $pid >"$dir/pid"
echo "$asked" >"$dir/asked"
ln -sfn "$home" "$dir/root"

cli() { timeout 5 chroot "$root" asterisk -C "$inside/etc/asterisk.conf" -rx "$1" 2>/dev/null; }
for _ in {1..200}; do
    kill -0 "$pid" 2>/dev/null || break
    [[ -S $home/run/asterisk.ctl ]] && [[ $(cli 'core waitfullybooted') == *'fully booted'* ]] && ready=1 && break
    sleep 0.05
done
if [[ -z ${ready:-} ]]; then
    tail -n 20 "$home/log/console" >&2
    stop "$pid" "$inside/etc"
    die "Asterisk $version did not start on port $base; the log: $home/log"
fi

secret=$(sed -n 's/^secret = \([^ ]*\).*/\1/p' "$home/etc/manager.conf")
cat >"$dir/lab.env" <<END
LAB_VERSION=$version
LAB_PID=$pid
LAB_AMI_PORT=$base
LAB_AMI_USER=govorun
LAB_AMI_SECRET=$secret
LAB_SIP_PORT=$((base + 2))
LAB_PEER_SIP_PORT=$peer
LAB_MEDIA_PORT=$media
LAB_SOUNDS_HOST=$home/sounds
LAB_SOUNDS_ASTERISK=$inside/sounds
LAB_SPOOL_HOST=$home/spool
LAB_SPOOL_ASTERISK=$inside/spool
LAB_PEOPLE_ASTERISK=$inside/people
LAB_LOG=$home/log/full
LAB_ROOT=$root
LAB_CONF_ASTERISK=$inside/etc/asterisk.conf
END
say "Asterisk $version is up on $base"
