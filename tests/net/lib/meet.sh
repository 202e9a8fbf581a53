# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of the rendezvous server. Source it after lib.sh.
#
#   CONTAINER 192.0.2.10, 2001:db8::10 ── eth0 ═ eth0 ── HOST 192.0.2.1 and .2, 2001:db8::1 and ::2

PYTHONPATH=$ROOT/tests/net/lib
export PYTHONPATH PYTHONDONTWRITEBYTECODE=1
SERVER_LOG=$TEST_TMP/rendezvous.log
PEERS=/mnt/peers
INSIDE="${TOPOLOGY_PREFIX:-}inside"

meet_up()
{
	netns_add "$HOST"
	netns_add "$CONTAINER"
	in_ns "$HOST" ip link add eth0 type veth peer name eth0 netns "$CONTAINER"
	link_up "$HOST" eth0
	link_up "$CONTAINER" eth0
	ip_batch "$HOST" <<-'IP'
		addr add 192.0.2.1/24 dev eth0
		addr add 192.0.2.2/24 dev eth0
		addr add 2001:db8::1/64 dev eth0 nodad
		addr add 2001:db8::2/64 dev eth0 nodad
	IP
	ip_batch "$CONTAINER" <<-'IP'
		addr add 192.0.2.10/24 dev eth0
		addr add 2001:db8::10/64 dev eth0 nodad
	IP
	wait_link "$HOST" eth0
	# The unprivileged user of the server must read the peers file, and cannot enter TEST_TMP.
	# The mount ends with the mount namespace of the test.
	mkdir "$TEST_TMP/public"
	mount --bind "$TEST_TMP/public" /mnt
	(umask 077 && sluice peer key >"$TEST_TMP/server.key")
	: >"$PEERS"
}

# peer_add NAME [ALLOW]: adds a peer to the file; its private key is in TEST_TMP/NAME.key
peer_add()
{
	(umask 077 && sluice peer key >"$TEST_TMP/$1.key")
	echo "$1 $(sluice peer key --public <"$TEST_TMP/$1.key")${2:+ allow=$2}" >>"$PEERS"
}

# started PID LOG: returns true if the server is up or has exited
started()
{
	grep -q 'msg="started"' "$2" || ! kill -0 "$1"
}

# rendezvous_start OPTION…: runs the server in HOST, with peers; sets RENDEZVOUS to its process id
rendezvous_start()
{
	: >"$SERVER_LOG"
	spawn_in "$HOST" "$SERVER_LOG" "$SLUICE" rendezvous serve --key-file "$TEST_TMP/server.key" \
		--peers "$PEERS" "$@"
	RENDEZVOUS=$SPAWNED
	wait_until 20 started "$RENDEZVOUS" "$SERVER_LOG"
	grep -q 'msg="started"' "$SERVER_LOG" || fail "$(cat "$SERVER_LOG")"
}

# rendezvous_stop [SIGNAL [CODE]]
rendezvous_stop()
{
	local status=0
	kill "-${1:-TERM}" "$RENDEZVOUS"
	wait "$RENDEZVOUS" || status=$?
	want_equal "$status" "${2:-0}" "exit status of the server: $(cat "$SERVER_LOG")"
}

# shown FILTER: evaluates a Python expression, with `d` = the output of rendezvous show
shown()
{
	json "$1" sluice -j rendezvous show
}

# peers_run: runs the Python program in its input in CONTAINER, with the client library and the keys
peers_run()
{
	{
		cat <<-PYTHON
			from rendezvous import *
			def secret(name):
			    return open("$TEST_TMP/" + name + ".key").read().strip()
			PUBLIC = "$(sluice peer key --public <"$TEST_TMP/server.key")"
			SERVER = ("192.0.2.1", 3478)
			def peer(name, **options):
			    return Peer(name, secret(name), PUBLIC, options.pop("server", SERVER), **options)
		PYTHON
		cat
	} | in_ns "$CONTAINER" python3 -
}

# nat_up: makes CONTAINER a NAT for INSIDE, which has 10.0.0.2
nat_up()
{
	netns_add "$INSIDE"
	in_ns "$CONTAINER" ip link add inside0 type veth peer name eth0 netns "$INSIDE"
	link_up "$CONTAINER" inside0
	link_up "$INSIDE" eth0
	ip -n "$CONTAINER" addr add 10.0.0.1/24 dev inside0
	ip -n "$INSIDE" addr add 10.0.0.2/24 dev eth0
	ip -n "$INSIDE" route add default via 10.0.0.1
	in_ns "$CONTAINER" sysctl -qw net.ipv4.ip_forward=1
	in_ns "$CONTAINER" nft -f - <<-'NFT'
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "eth0" masquerade
			}
		}
	NFT
	checksums_full "$CONTAINER" eth0
}

# webrtc_server_start: runs a server that answers Binding requests by XDP at BY_XDP, but itself at
# BY_SERVER, which has an alternate address
webrtc_server_start()
{
	BY_SERVER=192.0.2.1:3478
	BY_XDP=192.0.2.2:3480
	rendezvous_start --listen "$BY_SERVER,$BY_XDP" --alternate 192.0.2.2:3479 --xdp eth0
}

# webrtc_answered COUNT: checks that the server and XDP have each answered COUNT requests
webrtc_answered()
{
	want_equal "$(shown "(d['counters']['binding'] >= $1, d['xdp']['counters']['bindings'] >= $1)")" \
		"(True, True)"
}

# stunclients_bind: gets the client's address with coturn's client from the server, over IPv4 and
# IPv6
stunclients_bind()
{
	local program server own
	program=$(server_path usr/bin/turnutils_stunclient)
	for server in 192.0.2.1 2001:db8::1; do
		own=192.0.2.10
		[[ $server != *:* ]] || own=2001:db8::10
		want_status 0 in_ns "$CONTAINER" "$program" -L "$own" "$server"
		want_text "UDP reflexive addr: "
		want_text "$own:"
	done
}
