#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The server's life cycle: a wildcard address, status, drain, two servers side by side. Also tests
# bad input and the exit statuses.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/meet.sh"

meet_up
SERVE=(in_ns "$HOST" timeout 20 "$SLUICE" rendezvous serve)

say "usage"
want_status 2 "${SERVE[@]}"
want_text "a --listen is needed"
for listen in 192.0.2.1 192.0.2.1:0 192.0.2.1:70000 :3478 2001:db8::1:3478 '192.0.2.1:1,' name:3478; do
	want_status 2 "${SERVE[@]}" --listen "$listen"
	want_text "is not an address and a port"
done
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478,192.0.2.1:3478
want_text "more than once"
want_status 2 "${SERVE[@]}" --listen 192.0.2.9:3478
want_text "192.0.2.9:3478: not an address of this host"
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --alternate 192.0.2.2:3478
want_text "both address and port must differ"
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --alternate '[2001:db8::2]:3479'
want_text "no --listen address is of this family"
want_status 2 "${SERVE[@]}" --listen 0.0.0.0:3478 --alternate 192.0.2.2:3479
want_text "instead of the wildcard"
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --peers "$PEERS"
want_text "--peers needs a --key-file"
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --name ../x
want_text "is not a name"
cp /etc/passwd "$TEST_TMP/passwd"
echo 'clerk:x:4321:0::/:/bin/sh' >>"$TEST_TMP/passwd"
mount --bind "$TEST_TMP/passwd" /etc/passwd
for user in root nosuchuser clerk; do
	want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --user $user
	want_text "give an unprivileged user"
done
umount /etc/passwd
want_status 4 in_ns "$HOST" setpriv --bounding-set=-setuid --inh-caps=-setuid "$SLUICE" rendezvous \
	serve --listen 192.0.2.1:3478
want_text "CAP_SETUID and CAP_SETGID are needed"
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --key-file "$TEST_TMP/none" --peers "$PEERS"
want_text "$TEST_TMP/none: cannot read the key"
echo "alice abc" >/mnt/wrong
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --key-file /mnt/wrong --peers "$PEERS"
want_text "not a private key"
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --key-file "$TEST_TMP/server.key" --peers /mnt/wrong
want_text "wrong:1: alice: 'abc' is not a public key"
(umask 077 && : >/mnt/hidden)
want_status 4 "${SERVE[@]}" --listen 192.0.2.1:3478 --key-file "$TEST_TMP/server.key" --peers /mnt/hidden
want_text "must be able to read it"
want_status 1 sluice rendezvous show
want_text "no rendezvous server with the name 'rendezvous' runs here"
want_status 2 sluice peer key --public </dev/null
want_text "standard input: not a private key"

say "a wildcard address: the answer comes from the requested address; only STUN"
spawn_in "$HOST" "$SERVER_LOG" "$SLUICE" rendezvous serve --listen '0.0.0.0:3478,[::]:3478'
RENDEZVOUS=$SPAWNED
wait_until 20 grep -q 'msg="started"' "$SERVER_LOG"
peers_run <<-'PYTHON'
	for host in "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2":
	    for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
	        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
	        sock.settimeout(20)
	        sock.connect((host, 3478))
	        sent = os.urandom(12)
	        sock.send(build(BINDING, REQUEST, sent, []))
	        answer = Message(sock.recv(2048))
	        assert answer.transaction == sent and answer.address(XOR_MAPPED) == sock.getsockname()[:2]
	        # 1.6 and 2.2 bytes per byte of the request
	        assert len(answer.data) == (44 if ":" in host else 32)
	# no peer can register without a peers file
	mallory = Peer("mallory", base64.b64encode(os.urandom(32)), base64.b64encode(os.urandom(32)), SERVER)
	assert mallory.register().error() == 401
PYTHON
want_equal "$(shown "(d['ready'], d['peers'], d['peers_file'], d['pid'])")" "(True, 0, None, $RENDEZVOUS)"
want_equal "$(shown "0.5 < d['amplification'] < 2.2")" True

say "conflicts"
want_status 5 "${SERVE[@]}" --listen 192.0.2.1:3478 --name other
want_text "192.0.2.1:3478: the UDP port is in use by sluice ($RENDEZVOUS)"
want_status 5 "${SERVE[@]}" --listen 192.0.2.1:3490
want_text "another rendezvous server has the name 'rendezvous'"
spawn_in "$HOST" "$TEST_TMP/other" "$SLUICE" rendezvous serve --listen 192.0.2.1:3490 --name other
other=$SPAWNED
wait_until 20 grep -q 'msg="started"' "$TEST_TMP/other"
want_equal "$(json "(d['name'], d['addresses'][0]['listen'])" sluice -j rendezvous show --name other)" \
	"('other', '192.0.2.1:3490')"
stop "$other"

say "drain: not ready, but still answering; a second signal stops the server"
kill -USR1 "$RENDEZVOUS"
wait_until 10 grep -q draining "$SERVER_LOG"
want_equal "$(shown "d['ready']")" False
peers_run <<-'PYTHON'
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.settimeout(20)
	sock.sendto(build(BINDING, REQUEST, os.urandom(12), []), SERVER)
	sock.recv(2048)
PYTHON
rendezvous_stop USR1
want_status 1 sluice rendezvous show
want_text "no rendezvous server"

say "a client that does not read the status delays nothing; the next server gets the name"
peer_add alice
rendezvous_start --listen 192.0.2.1:3478
python3 -c 'import socket, time
sock = socket.socket(socket.AF_UNIX)
sock.connect("/run/sluice/rendezvous.sock")
print("connected", flush=True)
time.sleep(60)' >"$TEST_TMP/reader" &
reader=$!
wait_until 10 grep -q connected "$TEST_TMP/reader"
want_equal "$(shown "d['peers']")" 1
rendezvous_stop
rendezvous_start --listen 192.0.2.1:3478
want_equal "$(shown "d['pid']")" "$RENDEZVOUS"
stop "$reader"
rendezvous_stop INT
