# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of peers, in the network of tools/lab/nat.sh. Source it after lib.sh.
#
#   in1 ── nat1 ──┐
#                 ├── router ── peer [sluice rendezvous serve]
#   in2 ── nat2 ──┘

# shellcheck source=tools/lab/nat.sh
. "$ROOT/tools/lab/nat.sh"

SERVER_LOG=$TEST_TMP/rendezvous.log

# peers_server NAME[:ALLOW]…: creates the network without a NAT, and a server with these peers.
# Their private keys are in TEST_TMP/NAME.key. Only the peers ALLOW may connect to NAME.
peers_server()
{
	local entry name

	lab_core
	# The unprivileged user of the server must read the peers file, and cannot enter TEST_TMP.
	# The mount ends with the mount namespace of the test.
	mkdir "$TEST_TMP/public"
	mount --bind "$TEST_TMP/public" /mnt
	for entry in server "$@"; do
		name=${entry%%:*}
		(umask 077 && sluice peer key >"$TEST_TMP/$name.key")
		[ "$name" = server ] ||
			echo "$name $(public "$name")${entry:${#name}}" | sed 's/:/ allow=/' >>/mnt/peers
	done
	server_start
}

# peers_nat NUMBER KIND SECONDS: adds a NAT, and a host behind it
peers_nat()
{
	lab_nat "nat$1" "in$1" "$2" "$3" "$1"
	# IPv6 has no NAT here, so it would be preferred
	in_ns "in$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
}

# peers_beside NUMBER HOST: adds a namespace HOST, with 10.0.0.3, to the network of the host behind
# NAT NUMBER: both are ports of a bridge on the NAT
peers_beside()
{
	netns_add "$2"
	lab_link "nat$1" beside "$2" eth0
	# with br_netfilter, a bridge would apply the NAT's rules, and forward to its ports by itself
	in_ns "nat$1" sysctl -qew net.bridge.bridge-nf-call-iptables=0
	ip_batch "nat$1" <<-IP
		link set in down
		link set in name first
		link add in type bridge
		link set first master in
		link set beside master in
		addr flush dev first
		addr add 10.0.0.1/24 dev in
		link set first up
		link set in up
	IP
	ip_batch "$2" <<-IP
		addr add 10.0.0.3/24 dev eth0
		route add default via 10.0.0.1
	IP
	in_ns "$2" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	wait_link "$2" eth0
	wait_link "nat$1" in
}

# peers_isolate NUMBER: the two hosts of peers_beside reach the NAT, but not each other
peers_isolate()
{
	in_ns "nat$1" bridge link set dev first isolated on
	in_ns "nat$1" bridge link set dev beside isolated on
}

# peer_has_path NAME PATTERN: has this peer a path of this kind, transport and remote address?
peer_has_path()
{
	# shellcheck disable=SC2053 # a pattern
	[[ $(json "' '.join(f\"{p['kind']} {p['transport']} {p['remote']}\" for p in d['peers'][0]['paths'])" \
		sluice -j peer list --id "$1") == $2 ]]
}

# peers_up KIND1 KIND2 SECONDS: creates the network drawn above, and a server with the peers alice,
# bob, carol and dave; only carol may connect to dave
peers_up()
{
	peers_server alice bob carol dave:carol
	peers_nat 1 "$1" "$3"
	peers_nat 2 "$2" "$3"
	wait_link "$ROUTER" outside
}

# public NAME: prints the public key
public()
{
	sluice peer key --public <"$TEST_TMP/$1.key"
}

# server_start [OPTION…]
server_start()
{
	spawn_in "$PEER" "$SERVER_LOG" "$SLUICE" rendezvous serve --listen "$PEER4:3478" \
		--key-file "$TEST_TMP/server.key" --peers /mnt/peers "$@"
	RENDEZVOUS=$SPAWNED
	wait_udp "$PEER" 3478
}

# identity NAME: sets IDENTITY to the options of this peer
identity()
{
	IDENTITY=(--server "$PEER4:3478" --server-key "$(public server)" --id "$1"
		--key-file "$TEST_TMP/$1.key")
}

# is_logged FILE TEXT
is_logged()
{
	[ -e "$1" ] && contains -F -e "$2" "$1"
}

# wait_log FILE TEXT: waits for a line of a log
wait_log()
{
	wait_until 20 is_logged "$1" "$2" || fail "no '$2' in:" "$(cat "$1")" "$(cat "$SERVER_LOG")"
}

# peer_run NAMESPACE NAME OPTION…: runs a peer that exposes services; its log is TEST_TMP/NAME.log
peer_run()
{
	local where=$1 name=$2
	shift 2
	identity "$name"
	# or an earlier peer of this name would have logged what the caller waits for
	rm -f "$TEST_TMP/$name.log"
	spawn_in "$where" "$TEST_TMP/$name.log" "$SLUICE" peer run "${IDENTITY[@]}" "$@"
	wait_log "$TEST_TMP/$name.log" 'msg="registered"'
}

# peer_connect NAMESPACE NAME OPTION…: runs a peer that connects; its log is TEST_TMP/NAME.log
peer_connect()
{
	local where=$1 name=$2
	shift 2
	identity "$name"
	rm -f "$TEST_TMP/$name.log"
	spawn_in "$where" "$TEST_TMP/$name.log" "$SLUICE" peer connect "${IDENTITY[@]}" "$@"
}

# alice_meets_bob: bob exposes an echo service, to which alice connects; it is at 127.0.0.1:7000 of in1.
# Sets alice and bob to their process ids
alice_meets_bob()
{
	echo_start in2
	peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
	bob=$SPAWNED
	peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
	alice=$SPAWNED
	wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
}

# idle_stays_up SECONDS: the path between alice and bob stays up without traffic
idle_stays_up()
{
	local moves="[p[n]['paths'][0][k] for n in ('alice', 'bob') for k in ('repunches', 'path_changes')]" before
	hello_bob
	before=$(listed "$moves")
	sleep "$1"
	want_equal "$(listed "$moves")" "$before" "new introductions and moves"
	hello_bob
}

# hello_bob: sends through the path and back
hello_bob()
{
	want_equal "$(echo hello | in_ns in1 socat -t 60 - TCP:127.0.0.1:7000)" hello
}

# peer_is_direct NAME, peer_is_relayed NAME: return true if the last path in the peer's log is of
# this kind
peer_is_direct()
{
	local last
	last=$(grep 'msg="path"' "$TEST_TMP/$1.log" | tail -n 1)
	[[ -n $last && $last != *kind=relayed* ]]
}

peer_is_relayed()
{
	[[ $(grep 'msg="path"' "$TEST_TMP/$1.log" | tail -n 1) == *kind=relayed* ]]
}

# listed EXPRESSION [OPTION…]: evaluates Python code over the list of peers; p has the processes by name
listed()
{
	local expression=$1
	shift
	json "(lambda p: $expression)({p['id']: p for p in d['peers']})" sluice -j peer list "$@"
}

# udp_block NAMESPACE: the network of this host drops UDP; udp_unblock NAMESPACE
udp_block()
{
	in_ns "$1" nft -f - <<-'NFT'
		table inet block {
			chain output {
				type filter hook output priority 0
				udp dport 1-65535 drop
			}
		}
	NFT
}

udp_unblock()
{
	in_ns "$1" nft delete table inet block
}

# echo_start NAMESPACE: runs an echo service at 127.0.0.1:7
echo_start()
{
	spawn_in "$1" /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat
}

# transfer_begin NAMESPACE PORT: begins to send bytes to an echo service and back, in TRANSFER, and
# waits until some are back
transfer_begin()
{
	rm -f "$TEST_TMP/begun" "$TEST_TMP/done"
	in_ns "$1" python3 "$ROOT/tests/net/lib/transfer.py" "$2" "$TEST_TMP/begun" "$TEST_TMP/done" &
	TRANSFER=$!
	wait_until 20 test -e "$TEST_TMP/begun"
}

# transfer_end LOG…: ends it, and wants that no byte was lost; else shows these logs
transfer_end()
{
	touch "$TEST_TMP/done"
	wait "$TRANSFER" || fail "the transfer failed" "$(tail -n 50 "${@/#/$TEST_TMP/}")"
}
