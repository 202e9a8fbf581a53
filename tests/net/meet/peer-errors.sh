#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each refusal by a peer, and of a peer, has a clear message and a distinct exit status. Both ends
# report a service that does not answer by name. --stdio carries a connection.
#
#   in1 [connect] ── nat1 ──┐
#                           ├── router ── peer [sluice rendezvous serve]
#   in2 [run]     ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

say "the command line"
touch "$TEST_TMP/none"
(umask 077 && sluice peer key >"$TEST_TMP/key")
key=$(sluice peer key --public <"$TEST_TMP/key")
given=(--server 127.0.0.1:1 --server-key "$key" --id a --key-file "$TEST_TMP/key" --peer-key "b=$key")
# refused STATUS TEXT ARGUMENT…
refused()
{
	local status=$1 text=$2
	shift 2
	want_status "$status" sluice peer "$@"
	want_text "$text"
}
refused 2 "an --expose is needed" run "${given[@]}"
refused 2 "a --server HOST:PORT is needed" run --expose tcp:127.0.0.1:1
refused 2 "no other peer is known" run "${given[@]:0:8}" --expose tcp:127.0.0.1:1
refused 2 "'127.0.0.1' is not a host and a port" run --server 127.0.0.1
refused 2 "'2001:db8::1:3478' is not a host and a port" run --server 2001:db8::1:3478
refused 2 "is not a public key" run --server-key short
refused 2 "'b' is not a name and a key" run --peer-key b
refused 2 "b is given more than once" run --peer-key "b=$key" --peer-key "b=$key"
refused 2 "'sctp:127.0.0.1:1' is not a protocol" run --expose sctp:127.0.0.1:1
refused 2 "another tcp service has the name ''" run --expose tcp:127.0.0.1:1 --expose tcp:127.0.0.1:2
refused 2 "'a b' is not a name" run --expose 'a b=tcp:127.0.0.1:1'
refused 2 "a --to NAME is needed" connect "${given[@]}" --listen tcp:127.0.0.1:1
refused 2 "--to a is this peer itself" connect "${given[@]}" --to a --listen tcp:127.0.0.1:1
refused 2 "a --listen or --stdio is needed" connect "${given[@]}" --to b
refused 2 "exclude each other" connect "${given[@]}" --to b --stdio --listen tcp:127.0.0.1:1
refused 2 "--direct-only and --relay-only exclude each other" connect "${given[@]}" --to b --stdio \
	--direct-only --relay-only
web=(connect "${given[@]}" --to b --listen tcp:127.0.0.1:1)
refused 2 "--pool-order without --pool-max" "${web[@]}" --pool-order fifo
refused 2 "--pool-min-idle 3 is more than --pool-max 2" "${web[@]}" --pool-max 2 --pool-min-idle 3
refused 2 "--pool-max and --transport udp exclude each other" "${web[@]}" --pool-max 2 --transport udp
refused 2 "--pool-max and --relay-only exclude each other" "${web[@]}" --pool-max 2 --relay-only
refused 2 "from 1 to 16" "${web[@]}" --pool-max 17
refused 2 "--pool-max needs a --listen tcp:" connect "${given[@]}" --to b --stdio --pool-max 2
refused 2 "instead of the wildcard" connect "${given[@]}" --to b --listen udp:0.0.0.0:1
refused 1 "$TEST_TMP/absent: No such file" run "${given[@]}" --known-peers "$TEST_TMP/absent" \
	--expose tcp:127.0.0.1:1
refused 1 "$TEST_TMP: cannot read the peers: Is a directory" run "${given[@]}" \
	--known-peers "$TEST_TMP" --expose tcp:127.0.0.1:1
chmod 644 "$TEST_TMP/key"
refused 4 "other users can read this private key" run "${given[@]}" --expose tcp:127.0.0.1:1

peers_up endpoint-independent address-and-port-dependent 30
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:22,bind=127.0.0.1,fork,reuseaddr EXEC:cat
peer_run in2 bob --peer-key "alice=$(public alice)" --expose echo=tcp:127.0.0.1:22 \
	--expose silent=tcp:127.0.0.1:9
peer_run in2 dave --trust-server --expose tcp:127.0.0.1:22

# connect NAME STATUS TEXT OPTION…: connects from in1, and checks the exit status and message
connect()
{
	local name=$1 status=$2 text=$3
	shift 3
	identity "$name"
	want_status "$status" in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" "$@"
	want_text "$text"
}

say "--stdio carries a connection"
identity alice
to_bob=(--peer-key "bob=$(public bob)" --to bob)
want_equal "$(echo hello | in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" "${to_bob[@]}" \
	--service echo --stdio)" hello

say "refusals"
connect alice 1 "bob: service 'silent': the service does not accept connections" "${to_bob[@]}" \
	--service silent --stdio </dev/null
wait_log "$TEST_TMP/bob.log" 'msg="exposed service does not answer" peer=alice service=silent'
connect alice 1 "bob: service 'other': the peer exposes no such service" "${to_bob[@]}" \
	--service other --stdio </dev/null
connect alice 4 "bob: " --peer-key "bob=$(public carol)" --to bob --stdio </dev/null
connect carol 4 "bob: " --peer-key "bob=$(public bob)" --to bob --stdio </dev/null
wait_log "$TEST_TMP/bob.log" 'msg="peer refused" peer=carol reason="unknown peer"'
connect alice 4 "nobody: " --trust-server --to nobody --stdio </dev/null
connect alice 4 "dave: " --trust-server --to dave --stdio </dev/null
want_equal "$(echo hello | (
	identity carol
	in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" --trust-server --to dave --stdio
))" hello
cp "$TEST_TMP/dave.key" "$TEST_TMP/carol.key"
connect carol 4 "--id carol: " --trust-server --to bob --stdio </dev/null
spawn_in in1 /dev/null socat -u UDP-LISTEN:7000,bind=127.0.0.1 OPEN:/dev/null
wait_udp in1 7000
connect alice 5 "--listen udp:127.0.0.1:7000: Address already in use" "${to_bob[@]}" \
	--listen udp:127.0.0.1:7000
