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

# peers_up KIND1 KIND2 SECONDS: makes the network, and a server that knows alice, bob, carol and
# dave, whom only carol may connect to. Their private keys are in TEST_TMP/NAME.key.
peers_up()
{
	local name

	lab_core
	lab_nat nat1 in1 "$1" "$3" 1
	lab_nat nat2 in2 "$2" "$3" 2
	wait_link "$ROUTER" outside
	# no address is translated over IPv6, so that it would be preferred
	in_ns in1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	in_ns in2 sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	# The user that the server becomes reads the peers file, and cannot enter TEST_TMP. The mount
	# ends with the mount namespace of the test.
	mkdir "$TEST_TMP/public"
	mount --bind "$TEST_TMP/public" /mnt
	for name in server alice bob carol dave; do
		(umask 077 && sluice peer key >"$TEST_TMP/$name.key")
	done
	for name in alice bob carol; do
		echo "$name $(public "$name")"
	done >/mnt/peers
	echo "dave $(public dave) allow=carol" >>/mnt/peers
	server_start
}

# public NAME: prints the public key
public()
{
	sluice peer key --public <"$TEST_TMP/$1.key"
}

server_start()
{
	spawn_in "$PEER" "$SERVER_LOG" "$SLUICE" rendezvous serve --listen "$PEER4:3478" \
		--key-file "$TEST_TMP/server.key" --peers /mnt/peers
	RENDEZVOUS=$SPAWNED
	wait_udp "$PEER" 3478
}

# identity NAME: sets IDENTITY, the options of this peer
identity()
{
	IDENTITY=(--server "$PEER4:3478" --server-key "$(public server)" --id "$1"
		--key-file "$TEST_TMP/$1.key")
}

# logged FILE TEXT
logged()
{
	[ -e "$1" ] && contains -F -e "$2" "$1"
}

# wait_log FILE TEXT: waits for a line of a log
wait_log()
{
	wait_until 20 logged "$1" "$2" || fail "no '$2' in:" "$(cat "$1")" "$(cat "$SERVER_LOG")"
}

# peer_run NAMESPACE NAME OPTION…: runs a peer that exposes services, whose log is TEST_TMP/NAME.log
peer_run()
{
	local where=$1 name=$2
	shift 2
	identity "$name"
	spawn_in "$where" "$TEST_TMP/$name.log" "$SLUICE" peer run "${IDENTITY[@]}" "$@"
	wait_log "$TEST_TMP/$name.log" 'msg="registered"'
}

# peer_connect NAMESPACE NAME OPTION…: runs a peer that connects, whose log is TEST_TMP/NAME.log
peer_connect()
{
	local where=$1 name=$2
	shift 2
	identity "$name"
	spawn_in "$where" "$TEST_TMP/$name.log" "$SLUICE" peer connect "${IDENTITY[@]}" "$@"
}
