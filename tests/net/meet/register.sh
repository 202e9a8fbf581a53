#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Peers register, refresh, get introduced, and unregister, with a second implementation of the
# protocol. Runs over UDP and TCP, over IPv4 and IPv6, and across a reload and a restart.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/meet.sh"

meet_up
peer_add alice
peer_add bob alice
peer_add carol
rendezvous_start --listen '192.0.2.1:3478,[2001:db8::1]:3478'

say "register, refresh, connect"
peers_run <<-'PYTHON'
	alice = peer("alice", local=("192.0.2.10", 5000))
	bob = peer("bob", server=("2001:db8::1", 3478), local=("2001:db8::10", 5001))
	answer = alice.register([("192.0.2.10", 5000), ("10.0.0.1", 5000)])
	assert answer.kind == SUCCESS, answer.error()
	assert answer.number(BEHIND_NAT) == 0 and answer.number(LIFETIME) == 54
	assert alice.mapped == ("192.0.2.10", 5000), alice.mapped
	answer = bob.register([("fd00::3", 5001)])
	assert answer.kind == SUCCESS and answer.number(BEHIND_NAT) == 1
	assert alice.refresh().kind == SUCCESS and bob.refresh().kind == SUCCESS
	assert alice.register([("8.8.8.8", 5000)]).error() == 403
	assert alice.register([("192.0.2.10", 53)]).error() == 403

	ephemeral_a, ephemeral_b, sent = os.urandom(32), os.urandom(32), os.urandom(12)
	attributes = [(USERNAME, b"alice"), (NONCE, alice.nonce), (PEER_NAME, b"bob"), (EPHEMERAL, ephemeral_a)]
	alice.send(build(CONNECT, REQUEST, sent, attributes, alice.key))
	introduction = bob.receive()
	assert introduction.get(PEER_NAME) == b"alice" and introduction.get(EPHEMERAL) == ephemeral_a
	assert introduction.get(PEER_KEY) == public_of(base64.b64decode(secret("alice")))
	assert introduction.candidates() == [(REFLEXIVE, UDP, "192.0.2.10", 5000), (HOST, UDP, "192.0.2.10", 5000),
	                                     (HOST, UDP, "10.0.0.1", 5000)], introduction.candidates()
	bob.confirm(introduction, ephemeral_b)
	answer = alice.receive()
	assert answer.kind == SUCCESS and answer.transaction == sent and answer.is_protected(alice.key)
	assert answer.get(EPHEMERAL) == ephemeral_b and answer.get(SESSION) == introduction.get(SESSION)
	assert answer.candidates() == [(REFLEXIVE, UDP, "2001:db8::10", 5001), (HOST, UDP, "fd00::3", 5001)]
	session = answer.get(SESSION)
	assert alice.transact(REPORT, [(SESSION, session), (OUTCOME, bytes([0, 0, 0, 1]))]).kind == SUCCESS

	carol = peer("carol", tcp=True)
	assert carol.register().kind == SUCCESS and carol.refresh().kind == SUCCESS
	to_bob = [(PEER_NAME, b"bob"), (EPHEMERAL, ephemeral_a)]
	assert carol.transact(CONNECT, to_bob).error() == 403
	assert carol.transact(CONNECT, [(PEER_NAME, b"nobody"), (EPHEMERAL, ephemeral_a)]).error() == 403
	thief = peer("alice")
	thief.key = carol.key
	assert thief.register().error() == 401
PYTHON
want_equal "$(shown "[(r['name'], r['address'], r['behind_nat'], len(r['candidates'])) for r in
	sorted(d['registered'], key=lambda r: r['name']) if r['name'] != 'carol']")" \
	"[('alice', '192.0.2.10:5000', False, 2), ('bob', '[2001:db8::10]:5001', True, 1)]"
want_equal "$(shown "[d['counters'][k] for k in ('refreshed', 'introduced', 'reported_direct',
	'refused', 'refused_connect', 'refused_candidate')]")" "[3, 1, 1, 1, 2, 2]"
want_equal "$(json "[(r['state'], r['flows'] >= 2, r['use_percent'] > 0) for r in d['rows']
	if r['object'] == 'rendezvous' and r['pid'] == $(shown "d['pid']")]" sluice -j top --once --interval 1)" \
	"[('ready', True, True)]"
want_status 0 sluice rendezvous show
want_text "alice"
want_text "host 10.0.0.1:5000"

say "the end of a connection removes its registration"
carol_is_gone()
{
	[ "$(shown "[r['name'] for r in d['registered'] if r['name'] == 'carol']")" = "[]" ]
}
wait_until 10 carol_is_gone

say "a reload: errors change nothing; peers removed from the file lose their registration"
echo "mallory abc" >>"$PEERS"
kill -HUP "$RENDEZVOUS"
wait_until 10 grep -q 'reload refused' "$SERVER_LOG"
want_equal "$(shown "(d['peers'], len(d['registered']), 'mistake' in d['reload_refused'])")" \
	"(3, 2, True)"
sed -i '/mallory/d; /^carol/d; s/^bob .*/# &/' "$PEERS"
kill -HUP "$RENDEZVOUS"
wait_until 10 grep -q 'msg="reloaded"' "$SERVER_LOG"
want_equal "$(shown "(d['peers'], [r['name'] for r in d['registered']], d['reload_refused'])")" \
	"(1, ['alice'], None)"

say "a restart loses the registration; the refresh fails, and the peer registers again"
kill -KILL "$RENDEZVOUS"
wait "$RENDEZVOUS" || true
rendezvous_start --listen 192.0.2.1:3478
want_equal "$(shown "len(d['registered'])")" 0
peers_run <<-'PYTHON'
	alice = peer("alice", local=("192.0.2.10", 5000))
	alice.registration, alice.token_key, alice.mapped = bytes(8), bytes(16), ("192.0.2.10", 5000)
	assert alice.refresh().error() == 437
	assert alice.register().kind == SUCCESS and alice.refresh().kind == SUCCESS
	assert alice.unregister().kind == SUCCESS
	assert alice.refresh().error() == 437
PYTHON
want_equal "$(shown "len(d['registered'])")" 0
rendezvous_stop
