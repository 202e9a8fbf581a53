#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'peer list' shows the paths of all peers of this host, direct and relayed ones, and those that
# were not found: kinds, addresses, NATs, keepalives, traffic, trust and reasons. Only root and the
# user of a peer get an answer.
#
#   in1 [alice, carol: connect] ── nat1 ──┐
#                                         ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]              ── nat2 ──┤
#   in3 [carol: connect]        ── nat3 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up endpoint-independent address-and-port-dependent 30
peers_nat 3 symmetric 30
spawn_in in2 /dev/null socat -t 60 TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat

# is_listed WANTED EXPRESSION
is_listed()
{
	[ "$(listed "$2")" = "$1" ]
}

say "nobody runs here"
want_status 0 sluice peer list
want_equal "$OUTPUT" ""
want_status 1 sluice peer list --id bob
want_text "no peer with the name 'bob' runs here"

say "a direct path, seen from both ends"
peer_run in2 bob --trust-server --expose echo=tcp:127.0.0.1:7 --keepalive 15
bob=$SPAWNED
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
want_equal "$(head -c 100000 /dev/zero | in_ns in1 socat -t 20 - TCP:127.0.0.1:7000 | wc -c)" 100000
wait_until 20 is_listed "[True, 1472, 1472]" \
	"[p['bob']['paths'][0]['ready']] + [p[n]['paths'][0]['mtu'] for n in ('alice', 'bob')]"
path="[p['alice']['paths'][0][k] for k in ('peer', 'role', 'state', 'transport', 'mtu', 'trust')]"
want_equal "$(listed "$path")" "['bob', 'connects', 'up', 'udp', 1472, 'key']"
want_equal "$(listed "${path/alice/bob}")" "['alice', 'accepts', 'up', 'udp', 1472, 'server']"
want_equal "$(listed "[p['alice']['paths'][0][k] for k in ('own_nat', 'peer_nat', 'relayed_because', 'end')]")" \
	"['endpoint-independent', 'endpoint-independent', None, None]"
want_equal "$(listed "[p['alice']['paths'][0]['local'] == '10.0.0.2:' + p['alice']['servers'][0]['public'].split(':')[1],
	p['alice']['paths'][0]['remote'] == p['bob']['servers'][0]['public'],
	p['alice']['servers'][0]['address'], p['alice']['servers'][0]['registered']]")" \
	"[True, True, '$PEER4:3478', True]"
want_equal "$(listed "[[p[n]['paths'][0]['keepalive'][k] for k in ('interval_s', 'source')] for n in ('alice', 'bob')]")" \
	"[[18.0, 'default'], [15.0, 'option']]"
want_equal "$(listed "[p[n]['paths'][0][k] > 100000 for n in p for k in ('bytes_in', 'bytes_out')]")" \
	"[True, True, True, True]"
want_equal "$(listed "{c['transport'] for n in p for c in p[n]['paths'][0]['candidates']} - {'tcp'}")" "{'udp'}"
want_equal "$(listed "[c['reason'] for c in p['alice']['paths'][0]['candidates'] if c['state'] == 'used']")" "[None]"
want_equal "$(listed "p['bob']['services']")" \
	"[{'name': 'echo', 'protocol': 'tcp', 'address': '127.0.0.1:7'}]"
want_status 0 sluice peer list --id alice
want_text "peer alice: process"
want_text "connects to bob"
want_text "endpoint-independent"
[[ $OUTPUT != *"peer bob:"* ]] || fail "another peer as well:" "$OUTPUT"
want_status 0 sluice peer list
want_text "server's word"

say "a relayed path has a reason"
peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001 --relay-only
carol=$SPAWNED
wait_log "$TEST_TMP/carol.log" 'msg="connected" peer=bob'
want_equal "$(listed "[p['carol']['paths'][0][k] for k in ('kind', 'remote', 'relayed_because')]")" \
	"['relayed', '$PEER4:3478', 'by --relay-only']"
want_equal "$(listed "{c['reason'] for c in p['carol']['paths'][0]['candidates'] if c['state'] != 'used'}")" \
	"{'disabled'}"
want_status 0 sluice peer list --id carol
want_text "bob: relayed, since by --relay-only"
stop "$carol"
peer_connect in3 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001
carol=$SPAWNED
wait_log "$TEST_TMP/carol.log" 'msg="connected" peer=bob'
wait_until 30 is_listed "no other address answers" "p['carol']['paths'][0]['relayed_because']"
stop "$carol"

say "a path that was not found has the addresses that failed"
peer_connect in3 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001 --direct-only
carol=$SPAWNED
wait_log "$TEST_TMP/carol.log" 'msg="not connected, retrying"'
want_equal "$(listed "[(e['peer'], e['end'], {c['reason'] for c in e['candidates']}) for e in p['carol']['ended']]")" \
	"[('bob', 'no path was found', {'silent'})]"
want_status 0 sluice peer list --id carol
want_text "bob: ended: no path was found"
want_text "silent"

say "one that is killed is not listed, and leaves no socket to the next one"
kill -KILL "$alice"
wait "$alice" 2>/dev/null || true
want_equal "$(listed "sorted(p)")" "['bob', 'carol']"
want_equal "$(find /run/sluice -name 'alice.*' | wc -l)" 1
peer_run in1 alice --peer-key "bob=$(public bob)" --expose tcp:127.0.0.1:9
want_equal "$(find /run/sluice -name 'alice.*' | wc -l)" 1
stop "$SPAWNED"
stop "$carol"
stop "$bob"
want_equal "$(find /run/sluice -name "*.peer")" "" "sockets that are left"

say "a peer of another user answers that user, and root"
NOBODY=(setpriv --reuid 65534 --regid 65534 --clear-groups)
install -d -o 65534 -g 65534 -m 700 /mnt/nobody
# the tree may be in a directory of root
install -D -t /mnt/nobody/bin "$SLUICE" "$BUILD/sluice-peer"
install -o 65534 -g 65534 -m 600 "$TEST_TMP/dave.key" /mnt/nobody/key
identity dave
spawn_in in1 "$TEST_TMP/dave.log" "${NOBODY[@]}" env XDG_RUNTIME_DIR=/mnt/nobody /mnt/nobody/bin/sluice peer run \
	"${IDENTITY[@]/$TEST_TMP\/dave.key//mnt/nobody/key}" --trust-server --expose tcp:127.0.0.1:9
dave=$SPAWNED
wait_log "$TEST_TMP/dave.log" 'msg="registered"'
seen="[(p['id'], p['uid']) for p in d['peers']]"
want_equal "$(json "$seen" "${NOBODY[@]}" env XDG_RUNTIME_DIR=/mnt/nobody /mnt/nobody/bin/sluice -j peer list)" "[('dave', 65534)]"
want_equal "$(json "$seen" sluice -j peer list)" "[]"
want_equal "$(json "$seen" env XDG_RUNTIME_DIR=/mnt/nobody "$SLUICE" -j peer list)" "[]" "root has one of its own"
mount --bind /mnt/nobody/sluice /run/sluice
want_equal "$(json "$seen" sluice -j peer list)" "[('dave', 65534)]"

say "its silent sockets, however many, keep root neither waiting nor from the one that answers"
spawn_in in1 "$TEST_TMP/silent.log" python3 -u -c '
import os, signal, socket
os.setuid(65534)
held = []
for i in range(60):
	held.append(socket.socket(socket.AF_UNIX))
	held[i].bind(f"/mnt/nobody/sluice/carol.{i}.peer")
	held[i].listen(1)
print("ready")
signal.pause()'
wait_log "$TEST_TMP/silent.log" ready
want_equal "$(json "([p['id'] for p in d['peers']], len(d['unreadable']))" timeout 120 "$SLUICE" -j peer list)" \
	"(['dave'], 60)"
stop "$SPAWNED"
rm /mnt/nobody/sluice/carol.*
umount /run/sluice
want_equal "$(find /mnt/nobody/sluice -name 'dave.*.peer' -perm 600 | wc -l)" 1
stop "$dave"
want_equal "$(find /mnt/nobody/sluice -type s | wc -l)" 0
