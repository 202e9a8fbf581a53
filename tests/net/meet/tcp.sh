#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP: several messages in one segment, one message over many segments, a client that stops inside a
# message, a client that does not read, a client without STUN, and thousands of idle clients. Also
# tests connections that end while the status is written, or that arrive when no descriptors are
# left.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/meet.sh"

meet_up
rendezvous_start --listen 192.0.2.1:3478 --max-prefix 3000 --max-connections 3000

say "framing"
peers_run <<-'PYTHON'
	def connect():
	    sock = socket.create_connection(SERVER, timeout=30)
	    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	    return sock

	def bind():
	    return build(BINDING, REQUEST, os.urandom(12), [])

	def read(sock, count):
	    data = b""
	    while len(data) < 32 * count:
	        more = sock.recv(4096)
	        assert more, "closed"
	        data += more
	    return [Message(data[at:at + 32]) for at in range(0, len(data), 32)]

	def is_closed(sock):
	    try:
	        return sock.recv(1) == b""
	    except ConnectionResetError:
	        return True

	sock = connect()
	requests = [bind() for _ in range(200)]
	sock.sendall(b"".join(requests) + requests[0][:7])
	answers = read(sock, 200)
	assert [a.transaction for a in answers] == [r[8:20] for r in requests]
	assert all(a.address(XOR_MAPPED) == sock.getsockname() for a in answers)
	sock.sendall(requests[0][7:])
	assert read(sock, 1)[0].transaction == requests[0][8:20]
	for byte in requests[1]:
	    sock.sendall(bytes([byte]))
	assert read(sock, 1)[0].transaction == requests[1][8:20]
	# CHANGE-REQUEST and RESPONSE-PORT are only for UDP
	sent = os.urandom(12)
	sock.sendall(build(BINDING, REQUEST, sent, [(RESPONSE_PORT, bytes([0, 99, 0, 0]))]))
	assert Message(sock.recv(4096)).error() == 420

	# the client closes its side after the request, and still gets the answer
	half = connect()
	half.sendall(bind())
	half.shutdown(socket.SHUT_WR)
	read(half, 1)
	assert is_closed(half)

	for wrong in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	              struct.pack(">HHI", 1, 65532, COOKIE) + os.urandom(12),
	              struct.pack(">HHI", 1, 5, COOKIE) + os.urandom(12),
	              b"\xff" * 20):
	    sock = connect()
	    sock.sendall(wrong)
	    assert is_closed(sock), wrong

	# a client that sends requests and does not read
	sock = connect()
	sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
	sock.settimeout(5)
	try:
	    for _ in range(100000):
	        sock.sendall(b"".join(requests))
	    raise AssertionError("the server has kept every answer")
	except (ConnectionResetError, BrokenPipeError):
	    pass

	# idle connections, and connections beyond the limit
	idle = [connect() for _ in range(2000)]
	for sock in idle:
	    sock.sendall(bind())
	for sock in idle:
	    read(sock, 1)
	part = connect()
	part.sendall(bind()[:9])
	started = time.monotonic()
	part.settimeout(60)
	assert is_closed(part)
	assert time.monotonic() - started >= 8
	idle[1000].sendall(bind())
	read(idle[1000], 1)
	extra = [connect() for _ in range(1100)]
	for sock in extra[:900]:
	    sock.sendall(bind())
	for sock in extra[:900]:
	    read(sock, 1)
	assert is_closed(extra[-1])
PYTHON
wait_until 10 eval '[ "$(shown "d[\"connections\"][\"count\"]")" = 0 ]'
[ "$(shown "d['connections']['refused']")" -ge 100 ] || fail "refused: $(shown "d['connections']")"
rendezvous_stop

say "connections of strangers do not keep peers out"
peer_add alice
peer_add bob
rendezvous_start --listen 192.0.2.1:3478 --max-connections 20
peers_run <<-'PYTHON'
	alice = peer("alice", tcp=True)
	assert alice.register().kind == SUCCESS
	strangers = [socket.create_connection(SERVER, timeout=10) for _ in range(50)]
	bob = peer("bob", tcp=True)
	assert bob.register().kind == SUCCESS
	strangers += [socket.create_connection(SERVER, timeout=10) for _ in range(50)]
	# all other connections have been closed, but neither of these
	assert alice.refresh().kind == SUCCESS and bob.refresh().kind == SUCCESS
PYTHON
rendezvous_stop

say "a connection ends while a child, which writes the status, still has its descriptor"
: >"$SERVER_LOG"
# also with a limit of open files that leaves room for 72 connections
spawn_in "$HOST" "$SERVER_LOG" prlimit --nofile=200 strace -f -qq -o "$TEST_TMP/trace" -e trace=accept4,dup2,close_range \
	-e inject=close_range:delay_enter=1s "$SLUICE" rendezvous serve --listen 192.0.2.1:3478
RENDEZVOUS=$SPAWNED
wait_until 20 grep -q 'msg="started"' "$SERVER_LOG"
peers_run >"$TEST_TMP/clients" <<-PYTHON &
	socks = [socket.create_connection(SERVER, timeout=20) for _ in range(20)]
	print("open", flush=True)
	while "dup2" not in open("$TEST_TMP/trace").read():
	    time.sleep(0.05)
	for sock in socks:
	    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
	    sock.close()
PYTHON
clients=$!
wait_until 20 grep -q open "$TEST_TMP/clients"
# kernel memory per connection in each direction
want_equal "$(in_ns "$HOST" ss -tmnH | sed -n 's/.*,rb\([0-9]*\),.*,tb\([0-9]*\),.*/\1 \2/p' | sort -u)" \
	"32768 131072"
pid=$(shown "d['pid']")
want_equal "$(shown "d['connections']['limit']")" 72
wait "$clients"
want_equal "$(shown "d['connections']['count']")" 0

say "without descriptors, the server waits a second between attempts, and continues"
# limit_files COUNT: sets the limit of the server, as its user
limit_files()
{
	setpriv --reuid "$(id -u nobody)" --regid "$(id -g nobody)" --clear-groups \
		prlimit --pid "$pid" --nofile="$1:200"
}

# refusals COUNT: returns true if accept4() has failed COUNT times
refusals()
{
	[ "$(grep -c EMFILE "$TEST_TMP/trace")" -ge "$1" ]
}
limit_files 3
began=${EPOCHREALTIME/./}
peers_run >"$TEST_TMP/client" <<-'PYTHON' &
	sock = socket.create_connection(SERVER, timeout=60)
	sock.sendall(build(BINDING, REQUEST, os.urandom(12), []))
	assert Message(sock.recv(4096)).kind == SUCCESS
PYTHON
client=$!
wait_until 30 refusals 2
elapsed=$((${EPOCHREALTIME/./} - began))
[ "$elapsed" -ge 1000000 ] || fail "two attempts in $elapsed microseconds"
limit_files 200
wait "$client"
want_equal "$(grep -c 'msg="TCP connections have to wait" reason="Too many open files"' "$SERVER_LOG")" 1
kill "$pid"
wait "$RENDEZVOUS"
