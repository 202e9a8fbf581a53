# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The third part of `make demo`: a plain socat behind a NAT is still reachable after a silence of
# many mapping lifetimes. tools/demo/run sources it after its own functions and the topology. Each
# line is asserted here, too. The network is described in tools/lab/nat.sh.
#
# All times are about a fifth of real times: many NATs keep a mapping for 30 s, and sluice sends
# after at most 18 s by default.

# shellcheck source=tools/lab/nat.sh
. "$ROOT/tools/lab/nat.sh"

NAT_SECONDS=6 INTERVAL=4 HOLD_PORT=7000
SHORT_SILENCE=9 LONG_SILENCE=${LONG_SILENCE:-40}

# socat connects the peer's port and a pipe: data written to descriptor 8 goes to the client
peer_socat()
{
	rm -f "$SCRATCH/to_client"
	mkfifo "$SCRATCH/to_client"
	nsenter --net="/run/netns/$PEER" -- socat "UDP4-LISTEN:$HOLD_PORT" - \
		<"$SCRATCH/to_client" >"$SCRATCH/peer" 2>&1 &
	PEER_PID=$!
	exec 8>"$SCRATCH/to_client"
	wait_udp "$PEER" "$HOLD_PORT"
}

inside_socat()
{
	rm -f "$SCRATCH/to_peer"
	mkfifo "$SCRATCH/to_peer"
	nsenter --net="/run/netns/$INSIDE" -- \
		bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CGROUP" \
		socat - "UDP4:$PEER4:$HOLD_PORT" <"$SCRATCH/to_peer" >"$SCRATCH/inside" 2>&1 &
	INSIDE_PID=$!
	exec 9>"$SCRATCH/to_peer"
	echo hello >&9
	wait_until 10 grep -qx hello "$SCRATCH/peer" || die "the peer got nothing"
	echo answer >&8
	wait_until 10 grep -qx answer "$SCRATCH/inside" || die "no answer"
}

end_socats()
{
	exec 8>&- 9>&-
	kill "$PEER_PID" "$INSIDE_PID" 2>/dev/null || true
	wait "$PEER_PID" "$INSIDE_PID" 2>/dev/null || true
}

hold_drawing()
{
	cat <<-TEXT

		  inside 10.0.0.2 --- NAT $NAT4 --- router --- peer $PEER4:$HOLD_PORT
		                      a mapping lives for $NAT_SECONDS s, a fifth of 30, as of many NATs

		  A program behind the NAT has sent a datagram to its peer, and got an answer. Then both
		  are silent. Later the peer sends something: the NAT has forgotten whom it is for.
	TEXT
}

datagrams_of_peer()
{
	in_ns "$PEER" awk '/^Udp: [0-9]/ { print $2 }' /proc/net/snmp
}

hold_without()
{
	heading "Without sluice"
	peer_socat
	inside_socat
	good silence "$SHORT_SILENCE s"
	sleep "$SHORT_SILENCE"
	echo push >&8
	sleep 2
	expect "the push" 0 "$(grep -cx push "$SCRATCH/inside" || true)" "lost"
	end_socats
}

hold_with()
{
	local before
	printf '%s\n' '[global]' "cgroup = $CGROUP" '[hold]' "port = $HOLD_PORT" \
		"interval = $INTERVAL" >"$SCRATCH/hold.conf"
	heading "With sluice: 'sluice run' and this file"
	sed '1,2d' "$SCRATCH/hold.conf" | detail
	nsenter --net="/run/netns/$INSIDE" -- "$SLUICE" run --config "$SCRATCH/hold.conf" \
		</dev/null >"$SCRATCH/daemon.log" 2>&1 &
	DAEMON=$!
	wait_until 20 grep -q 'msg="started"' "$SCRATCH/daemon.log" ||
		die "the daemon did not start" "$(cat "$SCRATCH/daemon.log")"
	peer_socat
	inside_socat
	before=$(datagrams_of_peer)
	good silence "$LONG_SILENCE s: please wait"
	sleep "$LONG_SILENCE"
	run_sluice hold flows
	echo push >&8
	wait_until 10 grep -qx push "$SCRATCH/inside" || die "the push was lost"
	good "the push" "arrived at the same socat, process $INSIDE_PID"
	expect "at the peer" "$before" "$(datagrams_of_peer)" "no keepalive: they expire behind the NAT"
	end_socats
	kill "$DAEMON"
	wait "$DAEMON" || true
	run_sluice cleanup
}

hold_act()
{
	heading "A program behind a NAT: sluice hold"
	hold_drawing
	lab_up symmetric "$NAT_SECONDS"
	hold_without
	hold_with
	heading "Done: the program was reachable after $LONG_SILENCE s of silence, and was not changed."
}
