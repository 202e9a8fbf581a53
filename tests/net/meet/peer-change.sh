#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command of --on-change runs when a path comes up, moves, uses the relay and goes down, with
# the change in its environment: one at a time for each peer, whatever happens meanwhile, and to the
# end of the peer. It does not delay the peer, nor write to the service of --stdio.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up endpoint-independent address-and-port-dependent 30
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat

# A line for each event; a second one at the same time for the same peer is an error. While FILE.wait
# exists, the command does not end.
cat >"$TEST_TMP/changed" <<'SH'
#!/bin/sh
file=$1
mkdir "$file.$SLUICE_PEER" || echo "two at once" >>"$file"
echo "$SLUICE_EVENT $SLUICE_PEER $SLUICE_KIND $SLUICE_TRANSPORT $SLUICE_REMOTE" >>"$file"
echo "$SLUICE_ID|$SLUICE_LOCAL|$SLUICE_TRUST|$SLUICE_REASON|$NOTIFY_SOCKET" >>"$file.more"
while [ -e "$file.wait" ]; do sleep 0.05; done
rmdir "$file.$SLUICE_PEER"
SH
chmod +x "$TEST_TMP/changed"

# events NAME: prints the events that the command of this peer has seen
events()
{
	cut -d ' ' -f 1 "$TEST_TMP/$1.events" 2>/dev/null | xargs
}

# want_events NAME WANTED
want_events()
{
	wait_until 60 is_events "$@" || fail "events of $1: $(cat "$TEST_TMP/$1.events")" \
		"$(cat "$TEST_TMP/$1.log")"
}

is_events()
{
	[ "$(events "$1")" = "$2" ]
}

# nudge: sends through the path, so that a loss is noticed at once
nudge()
{
	in_ns in1 timeout 2 socat -u OPEN:/dev/null TCP:127.0.0.1:7000 || true
}

# block, unblock: nat1 passes nothing to nat2
block()
{
	in_ns nat1 nft 'add table inet block; add chain inet block forward { type filter hook forward priority -10; };
		add rule inet block forward ip daddr 198.51.100.2 drop'
}
unblock()
{
	in_ns nat1 nft delete table inet block
}

say "up, at both ends"
peer_run in2 bob --trust-server --expose tcp:127.0.0.1:7 --on-change "$TEST_TMP/changed $TEST_TMP/bob.events"
bob=$SPAWNED
NOTIFY_SOCKET=/nowhere SLUICE_EVENT=none peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000 \
	--on-change "'$TEST_TMP/changed' $TEST_TMP/alice.events"
alice=$SPAWNED
want_events alice up
want_events bob up
remote=$(json "d['peers'][0]['paths'][0]['remote']" sluice -j peer list --id alice)
local=$(json "d['peers'][0]['paths'][0]['local']" sluice -j peer list --id alice)
want_equal "$(cat "$TEST_TMP/alice.events")" "up bob server-reflexive udp $remote"
want_equal "$(cat "$TEST_TMP/alice.events.more")" "alice|$local|key||"
want_equal "$(cut -d '|' -f 1,3 "$TEST_TMP/bob.events.more")" "bob|server"

say "to the relay, and back"
block
nudge
want_events alice "up relayed"
want_equal "$(tail -n 1 "$TEST_TMP/alice.events")" "relayed bob relayed udp $PEER4:3478"
unblock
want_events alice "up relayed moved"

say "a slow command: what has passed meanwhile is not reported, and the peer goes on"
touch "$TEST_TMP/alice.events.wait"
block
nudge
want_events alice "up relayed moved relayed"
unblock
wait_until 60 peer_is_direct alice
want_equal "$(echo hello | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000)" hello
stop "$bob"
wait_log "$TEST_TMP/alice.log" 'msg="not connected, retrying"'
want_equal "$(events alice)" "up relayed moved relayed"
rm "$TEST_TMP/alice.events.wait"
want_events alice "up relayed moved relayed down"
want_equal "$(tail -n 1 "$TEST_TMP/bob.events" | cut -d ' ' -f 1-3)" "down alice server-reflexive"
want_equal "$(tail -n 1 "$TEST_TMP/bob.events.more" | cut -d '|' -f 4)" "this peer ends"

say "a command that fails, is killed, or does not exist is logged; none is left"
peer_run in2 bob --trust-server --expose tcp:127.0.0.1:7 --on-change 'exit 3'
bob=$SPAWNED
want_events alice "up relayed moved relayed down up"
wait_log "$TEST_TMP/bob.log" 'msg="--on-change has failed" peer=alice status=3'
stop "$alice"
want_events alice "up relayed moved relayed down up down"
! contains "two at once" "$TEST_TMP/alice.events" || fail "two at once"
want_equal "$(ps --ppid "$bob" -o stat= | grep -c Z || true)" 0 "zombies"

say "the standard output is that of the service"
identity carol
want_equal "$(echo hello | in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" --peer-key "bob=$(public bob)" --to bob \
	--stdio --on-change "cat; echo \$SLUICE_EVENT; echo \$SLUICE_EVENT >>$TEST_TMP/carol.events")" hello
want_equal "$(events carol)" "up down"
stop "$bob"
