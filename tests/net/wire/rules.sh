#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Firewall rules for one address of a server apply to every client, while replies for another
# address are fixed. One rule redirects requests to another server (DNAT), one drops requests. The
# server is on this host or behind it. Right servers on the same host, with the same rules, stay
# right.
#
#   container ── docker0 [host: A → lan, B, C dropped] eth0 ── lan
#                                 └ s0 ── [behind: the same]
#
# takes long: each kind of server, under each rule
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

CONNECTED=50030 LOGGED=50060
# TFTP transfers come from a port that no rule names
DNAT="$PORT, $CONNECTED, $LOGGED, $RIGHT_PORT, $DNS_PORT"
DROP="$PORT, $CONNECTED, $RIGHT_PORT, $DNS_PORT, 69, $ATFTP_PORT"
RIGHT=("pktinfo=echo:$RIGHT_PORT" "dnsmasq=dns:$DNS_PORT")
TFTP=("dnsmasq_tftp=tftp:69" "atftpd=tftp4:$ATFTP_PORT")

rules()
{
	in_ns "$HOST" nft -f - <<-NFT
		table inet rules {
			chain prerouting {
				type nat hook prerouting priority dstnat
				ip daddr $A4 udp dport { $DNAT } dnat ip to 172.16.13.1
				ip6 daddr $A6 udp dport { $DNAT } dnat ip6 to fd16::1
			}
			chain input {
				type filter hook input priority filter
				ip daddr $C4 udp dport { $DROP } drop
				ip6 daddr $C6 udp dport { $DROP } drop
			}
			chain forward {
				type filter hook forward priority filter
				ip daddr $C4 udp dport { $DROP } drop
				ip6 daddr $C6 udp dport { $DROP } drop
			}
		}
	NFT
}

# want_probed ADDR OUTCOME OPTION…: waits only briefly if no answer is expected
want_probed()
{
	local addr=$1 outcome=$2 patience=10
	shift 2
	[ "$outcome" = none ] && patience=0.4
	want_equal "$(probe "$CONTAINER" --timeout "$patience" "$@" -- "$addr" | cut -d ' ' -f 1,3-)" \
		"$addr $outcome"
}

# want_obeyed FROM OUTCOME4 OUTCOME6: checks from the client ports FROM and FROM + 1 that B has this
# outcome, that the other server answers at A, and that none answers at C
want_obeyed()
{
	local from=$1 four=$2 six=$3
	want_equal "$(probe "$CONTAINER" --one-port --from "$from" "b=echo:$PORT" -- "$B4" "$A4" "$A4")" \
		"$B4 b $four"$'\n'"$A4 b right"$'\n'"$A4 b right"
	want_equal "$(probe "$CONTAINER" --one-port --from "$from" "b=echo:$PORT" -- "$B6" "$A6" "$A6")" \
		"$B6 b $six"$'\n'"$A6 b right"$'\n'"$A6 b right"
	from=$((from + 1))
	want_probed "$B4" "$four" --from "$from" "b=echo:$PORT"
	want_probed "$C4" none --from "$from" "b=echo:$PORT"
	want_probed "$B6" "$six" --from "$from" "b=echo:$PORT"
	want_probed "$C6" none --from "$from" "b=echo:$PORT"
}

# want_beside kernel|fixed: checks that the right servers are right at B, where the other servers
# are as the argument says; that the servers behind the DNAT rule are right at A; and that none
# answers at C
want_beside()
{
	local addr
	want_servers "$1" "$CONTAINER" "$B4=$S4" "$B6=$S6"
	for addr in "$A4" "$A6"; do
		want_equal "$(probe "$CONTAINER" "${RIGHT[@]}" -- "$addr")" \
			"$addr pktinfo right"$'\n'"$addr dnsmasq right"
	done
	want_equal "$(probe "$CONTAINER" --timeout 0.4 "${RIGHT[@]}" "${TFTP[@]}" -- "$C4" "$C6" |
		cut -d' ' -f3- | sort | uniq -c | sed 's/^ *//')" "7 none" "outcomes at $C4 and $C6"
}

# A program of the subject that sends to PEER from the server's port, by a connected or unconnected
# socket. It prints the number of answers.
cat >"$TEST_TMP/talker.py" <<'PYTHON'
import socket, sys

how, peer, peer_port, port = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", int(port)))
if how == "connected":
    s.connect((peer, int(peer_port)))
print("ready", flush=True)
for line in sys.stdin:
    answers = 0
    s.settimeout(30)
    for i in range(3):
        s.sendto(b"hello", (peer, int(peer_port))) if how == "wildcard" else s.send(b"hello")
        try:
            answers += s.recvfrom(100)[0] == b"hello"
        except TimeoutError:
            pass
    print(answers, flush=True)
PYTHON

# Sends COUNT datagrams to a server that does not answer, then echoes all datagrams that it
# receives.
cat >"$TEST_TMP/logger.py" <<'PYTHON'
import socket, sys

me, me_port, target, port, count = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in me else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((me, int(me_port)))
for i in range(int(count)):
    s.sendto(b"log", (target, int(port)))
print("logged", flush=True)
while True:
    data, peer = s.recvfrom(100)
    s.sendto(data, peer)
PYTHON

# want_logged PEER ADDR: checks that PEER's datagrams to ADDR all reach the other server, which does
# not answer, while the subject exchanges datagrams with the same port of PEER from the same server
# port
want_logged()
{
	local how talker logger client=4099
	for how in connected wildcard; do
		client=$((client + 1))
		: >"$LOGGED_TO"
		rm -f "$TEST_TMP/logger"
		coproc TALKER { exec nsenter --net="/run/netns/$SUBJECT" -- python3 \
			"$TEST_TMP/talker.py" "$how" "$1" "$client" "$LOGGED"; }
		talker=$TALKER_PID
		read -r _ <&"${TALKER[0]}"
		spawn_in "$CONTAINER" "$TEST_TMP/logger" python3 "$TEST_TMP/logger.py" "$1" "$client" \
			"$2" "$LOGGED" 4
		logger=$SPAWNED
		wait_until 10 grep -q logged "$TEST_TMP/logger"
		# the talker receives the answers to its own datagrams
		echo go >&"${TALKER[1]}"
		read -r answers <&"${TALKER[0]}"
		want_equal "$answers" 3 "answers to the $how talker"
		stop "$talker"
		stop "$logger"
		want_equal "$(grep -c '^held' "$LOGGED_TO")" 4 "datagrams at the other server, $how talker"
		kill -USR1 "$LOGGER"
		wait_until 10 grep -q '^released' "$LOGGED_TO"
	done
}

topology_up
behind_up
forwarding 1
servers_up "$LAN"
stop "$SPAWNED"
serve "$LAN" pktinfo6 "$PORT"
serve "$LAN" pktinfo6 "$CONNECTED"
serve "$LAN" dual6 "$LOGGED" --hold
LOGGER=$SPAWNED LOGGED_TO=$LOG
for subject in host behind; do
	subject "$subject"
	in_ns "$HOST" nft flush ruleset
	rules
	[ "$subject" = host ] || PROBES=("${GATEWAY_PROBES[@]}")
	servers_up "$SUBJECT"
	say "$subject: without sluice"
	want_beside kernel
	want_obeyed 4000 "from $S4" "from $S6"
	want_logged 172.17.0.3 "$A4"
	want_logged fd17::3 "$A6"
	say "$subject: loaded"
	"${LOAD[@]}"
	want_beside fixed
	want_obeyed 4010 right right
	want_logged 172.17.0.3 "$A4"
	want_logged fd17::3 "$A6"

	for family in 4 6; do
		[ "$family" = 4 ] && a=$A4 b=$B4 c=$C4
		[ "$family" = 6 ] && a=$A6 b=$B6 c=$C6
		say "$subject, IPv$family: a server is connected to the client that the rules are for"
		for other in "4001 $a right" "4002 $c none"; do
			read -r from addr outcome <<<"$other"
			serve "$SUBJECT" connect6 "$CONNECTED"
			want_equal "$(probe "$CONTAINER" --from "$from" "b=patient:$CONNECTED" -- "$b")" "$b b right"
			want_probed "$addr" "$outcome" --from "$from" "o=echo:$CONNECTED"
			stop "$SPAWNED"
		done
	done

	say "$subject: unloaded"
	wire_unload
	want_beside kernel
	want_obeyed 4020 "from $S4" "from $S6"
	servers_down
done
