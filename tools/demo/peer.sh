# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The fourth part of `make demo`: two hosts behind different NATs reach each other by name, and the
# TCP connection of two unmodified socats outlives the rendezvous server, a silence that is longer
# than the lifetime of a mapping, and a reboot of a NAT. tools/demo/run sources it after hold.sh,
# whose network it builds again, with a second NAT. Every line is asserted here, too.

PEER_NAT_SECONDS=20
PEER_SILENCE=${PEER_SILENCE:-25}

peer_drawing()
{
	cat <<-TEXT

		  in1 10.0.0.2 --- NAT 198.51.100.1 --+
		  alice                               +-- router --- rendezvous server $PEER4:3478
		  in2 10.0.0.2 --- NAT 198.51.100.2 --+
		  bob              a mapping lives for $PEER_NAT_SECONDS s

		  Bob has a TCP service at 127.0.0.1. Neither NAT forwards a port, and both hosts have the
		  same private address.
	TEXT
}

peer_network()
{
	lab_down
	lab_core
	lab_nat nat1 in1 endpoint-independent 60 1
	lab_nat nat2 in2 address-and-port-dependent "$PEER_NAT_SECONDS" 2
	wait_link "$ROUTER" outside
	# no NAT translates IPv6, which would be preferred
	in_ns in1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	in_ns in2 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	nsenter --net=/run/netns/in2 -- socat TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat \
		</dev/null >/dev/null 2>&1 &
}

peer_public()
{
	"$SLUICE" peer key --public <"$SCRATCH/$1.key"
}

# peer_logged NAME TEXT
peer_logged()
{
	grep -qF -e "$2" "$SCRATCH/$1.log"
}

# peer_start NAME NAMESPACE TEXT WORD…: runs sluice until its log has TEXT; its id is in STARTED
peer_start()
{
	local name=$1 where=$2 text=$3
	shift 3
	printf '\n%s%s$ sluice %s%s\n' "$BOLD" "$name" "$*" "$PLAIN"
	nsenter --net="/run/netns/$where" -- "$SLUICE" "$@" </dev/null >"$SCRATCH/$name.log" 2>&1 &
	STARTED=$!
	wait_until 20 peer_logged "$name" "$text" || die "no '$text'" "$(cat "$SCRATCH/$name.log")"
}

peer_server()
{
	peer_start server "$PEER" 'msg="started"' rendezvous serve --listen "$PEER4:3478" \
		--key-file "$SCRATCH/server.key" --peers "$SCRATCH/peers"
	PEER_SERVER=$STARTED
	good server "knows the public keys of alice and bob"
}

peer_connect()
{
	local name
	for name in server alice bob; do
		(umask 077 && "$SLUICE" peer key >"$SCRATCH/$name.key")
		[ "$name" = server ] || echo "$name $(peer_public "$name")" >>"$SCRATCH/peers"
		cat >"$SCRATCH/$name.conf" <<-CONF
			[peer]
			id = $name
			key_file = $SCRATCH/$name.key
			server = $PEER4:3478
			server_key = $(peer_public server)
			known_peers = $SCRATCH/peers
		CONF
	done
	echo "expose = tcp:127.0.0.1:7" >>"$SCRATCH/bob.conf"
	peer_server
	peer_start bob in2 'msg="registered"' peer run --config "$SCRATCH/bob.conf"
	sed "s|$SCRATCH/||" "$SCRATCH/bob.conf" | detail
	peer_start alice in1 'msg="connected" peer=bob' peer connect --config "$SCRATCH/alice.conf" \
		--to bob --listen tcp:127.0.0.1:2222
	! peer_logged alice kind=relayed || die "the path is relayed" "$(cat "$SCRATCH/alice.log")"
	rm -f "$SCRATCH/to_bob"
	mkfifo "$SCRATCH/to_bob"
	nsenter --net=/run/netns/in1 -- socat - TCP4:127.0.0.1:2222 <"$SCRATCH/to_bob" \
		>"$SCRATCH/echo" 2>&1 &
	PEER_SOCAT=$!
	exec 9>"$SCRATCH/to_bob"
	peer_exchange 'a line' "to the service of bob, and back: the path is direct"
}

# peer_exchange LABEL TEXT: through the one connection
peer_exchange()
{
	echo "$1" >&9
	wait_until 60 grep -qx "$1" "$SCRATCH/echo" || die "$1 was lost" "$(cat "$SCRATCH"/{alice,bob}.log)"
	kill -0 "$PEER_SOCAT" || die "the connection has ended"
	good "$1" "$2"
}

peer_without_server()
{
	heading "The server stops"
	kill "$PEER_SERVER"
	wait "$PEER_SERVER" || true
	peer_exchange 'server gone' "the peers need it to find each other, not to send"
	good silence "$PEER_SILENCE s: please wait"
	sleep "$PEER_SILENCE"
	peer_exchange 'after that' "keepalives hold the mapping of $PEER_NAT_SECONDS s"
	run_sluice peer list --id alice
}

# Where bob sends to, by its log.
peer_address()
{
	sed -n 's/.*msg="path" peer=alice address=\([^ ]*\).*/\1/p' "$SCRATCH/bob.log" | tail -n 1
}

peer_reboot()
{
	local before
	heading "The NAT of alice reboots, and maps to other ports from then on"
	peer_server
	wait_until 60 peer_registered || die "not registered again" "$(cat "$SCRATCH"/{alice,bob}.log)"
	before=$(peer_address)
	lab_reboot nat1 other-port 60 in out 198.51.100.1
	peer_exchange 'NAT rebooted' "the same TCP connection goes on"
	[ "$before" != "$(peer_address)" ] || die "the address is still $before"
	good "its address" "for bob: $(peer_address), before: $before"
	expect "the socats" 1 "$(grep -c 'msg="connected"' "$SCRATCH/alice.log")" "never noticed"
	exec 9>&-
}

# Is each peer known to the server again?
peer_registered()
{
	[ "$("$SLUICE" -j peer list | grep -o '"registered":true' | wc -l)" = 2 ] &&
		[ "$("$SLUICE" -j rendezvous show | grep -o '"registered_for_s"' | wc -l)" = 2 ]
}

peer_act()
{
	heading "Two hosts behind NATs: sluice peer"
	peer_drawing
	peer_network
	peer_connect
	peer_without_server
	peer_reboot
	heading "Done: a TCP connection between two hosts that no one can reach from outside."
}
