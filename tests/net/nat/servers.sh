#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The probe reports missing features and faults of a server as such, never as a behaviour of the
# NAT. A server cannot make the probe send many requests, or any request to a non-unicast address.
#
#   inside ── nat ── router ── peer [coturn, and servers with faults]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/nat.sh"

lab_up address-and-port-dependent 30
in_ns "$PEER" nft -f - <<-'NFT'
	table ip drops {
		chain input {
			type filter hook input priority filter
			udp dport 3999 drop
			# requests with RESPONSE-PORT, after the first of each step
			udp dport 4150 udp length 36 quota over 672 bytes reject
		}
	}
NFT
# a firewall on the host itself refuses datagrams of one user to the mapped address
in_ns "$INSIDE" nft -f - <<-NFT
	table ip own {
		chain output {
			type filter hook output priority filter
			meta skuid 65534 ip daddr $NAT4 drop
		}
	}
NFT
coturn_start 3478 "$PEER4"
spawn_in "$PEER" "$TEST_TMP/servers" python3 "$ROOT/tests/net/lib/stun_server.py" \
	"$PEER4" "$PEER4_SECOND" 4000=none 4010=ignores 4020=refuses 4030=fails 4040=malformed \
	4050=elsewhere 4060=one-sided 4070=unfollowing 4080=rewritten 4090=classic \
	4100=other=224.0.0.1:3479 4110=other=127.0.0.1:3479 "4120=other=$PEER4:3479" \
	4130=mapped=224.0.0.1:9 "4140=mapped=$PEER4_SECOND:9" 4150=none
servers=$SPAWNED
wait_until 20 grep -q ready "$TEST_TMP/servers"

probe_start "$INSIDE" coturn-alone "$PEER4:3478" --lifetime 1
for fault in 4000 4010 4020 4060 4070 4080 4090 4100 4110 4120 4130 4140; do
	probe_start "$INSIDE" "$fault" "$PEER4:$fault" --lifetime 1
done
in_ns "$INSIDE" setpriv --reuid 65534 --regid 65534 --clear-groups "$SLUICE" -j nat probe "$PEER4:4000" >"$PROBES/own-firewall" &
PROBE_PIDS+=("$!")
probe_start "$INSIDE" 4150 "$PEER4:4150" --lifetime 6
in_ns "$INSIDE" "$SLUICE" nat probe "$PEER4:3999" >"$TEST_TMP/silent" 2>&1 &
silent=$!

say "servers that do not respond, or respond wrongly"
failing()
{
	want_status 1 in_ns "$INSIDE" "$SLUICE" nat probe "$PEER4:$1"
	want_text "$PEER4:$1: $2"
}
failing 3998 "Connection refused"
failing 4030 "the server responds with error 500"
failing 4040 "the response is malformed"
# the NAT drops responses from another address; without the NAT, the probe receives them
failing 4050 "no response"
want_status 1 in_ns "$ROUTER" "$SLUICE" nat probe "$PEER4:4050"
want_text "$PEER4:4050: the response came from $PEER4_SECOND:4050"
want_text "sluice-reply(8)"

say "servers that lack a feature"
probes_wait
HIDDEN=address-and-port-dependent
want_probed <<-TABLE
	coturn-alone -                    -       no  no preserved
	4000         endpoint-independent $HIDDEN yes no preserved
	4010         endpoint-independent -       no  no preserved
	4020         endpoint-independent -       no  no preserved
	4060         -                    -       no  no preserved
	4070         endpoint-independent -       no  no preserved
	4080         endpoint-independent $HIDDEN yes no preserved
	4090         endpoint-independent $HIDDEN yes no preserved
	4100         -                    -       no  no preserved
	4110         -                    -       no  no preserved
	4120         -                    -       no  no preserved
	4130         endpoint-independent $HIDDEN yes -  changed
	4140         endpoint-independent $HIDDEN yes no changed
TABLE
# reason LABEL TEST TEXT
reason()
{
	local found
	found=$(json "d['$2']['reason']" cat "$PROBES/$1")
	[[ $found == *"$3"* ]] || fail "$1: $2: wanted '$3', got '$found'"
}
reason coturn-alone mapping "no second address (OTHER-ADDRESS, RFC 5780)"
reason coturn-alone filtering "no second address"
reason coturn-alone lifetime "does not know RESPONSE-PORT"
reason 4010 filtering "ignores CHANGE-REQUEST"
reason 4010 lifetime "does not know RESPONSE-PORT"
reason 4020 filtering "refuses CHANGE-REQUEST: error 420"
reason 4020 lifetime "does not know RESPONSE-PORT"
reason 4060 mapping "no response from $PEER4_SECOND:4060"
reason 4060 filtering "no response from $PEER4_SECOND:4061"
reason 4070 filtering "no response from $PEER4_SECOND:4071 even after a request to it"
for port in 4100 4110 4120; do
	reason "$port" mapping "the second address that the server reports cannot be used"
	want_equal "$(json "d['second_address']" cat "$PROBES/$port")" None
done
reason 4130 hairpin "no second mapping"
reason own-firewall hairpin "this host cannot send to it: Operation not permitted"
want_equal "$(json "[d['payload_changed'], d['lifetime']['alive_s']]" cat "$PROBES/4080")" "[True, 1.0]"
want_equal "$(json "d['payload_changed']" cat "$PROBES/4000")" False
# a refused request proves nothing about the mapping
reason 4150 lifetime "Connection refused"
want_equal "$(json "d['lifetime']['gone_s']" cat "$PROBES/4150")" None
status=0
wait "$silent" || status=$?
want_equal "$status" 1 "exit status without a response"
contains -F "$PEER4:3999: no response" "$TEST_TMP/silent"

say "the requests that a server received from one probe"
stop "$servers"
awk '$1 ~ /^[0-9]+$/ && $2 > 200 { print; bad = 1 } END { exit bad }' "$TEST_TMP/servers" ||
	fail "too many requests:" "$(cat "$TEST_TMP/servers")"

say "mistakes"
for words in "" "1.2.3.4" "name:3478" "1.2.3.4:0" "[::1]" "1.2.3.4:1 --lifetime 0" \
	"224.0.0.1:1" "255.255.255.255:1" "[fe80::1]:1" "0.0.0.0:1" "1.2.3.4:1 --lifetime 3601" "1.2.3.4:1 --source x" "1.2.3.4:1 --source ::1" "1.2.3.4:1 more"; do
	# shellcheck disable=SC2086 # words of a command
	want_status 2 in_ns "$INSIDE" "$SLUICE" nat probe $words
done
want_status 2 in_ns "$INSIDE" "$SLUICE" nat probe "$PEER4:4000" --source 10.0.0.77
want_text "10.0.0.77: not an address of this host"
want_text "ip address"
want_status 2 in_ns "$INSIDE" "$SLUICE" nat probe "[2001:db8::1]:3478" --source fd0a:1::77
want_status 1 sluice --netns missing nat probe "$PEER4:3478"
