#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP: several messages in one segment, one message over many, a client that stops inside of a
# message, one that does not read, one that does not speak STUN, and thousands of idle ones.
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
	requests = [bind() for _ in range(50)]
	sock.sendall(b"".join(requests) + requests[0][:7])
	answers = read(sock, 50)
	assert [a.transaction for a in answers] == [r[8:20] for r in requests]
	assert all(a.address(XOR_MAPPED) == sock.getsockname() for a in answers)
	sock.sendall(requests[0][7:])
	assert read(sock, 1)[0].transaction == requests[0][8:20]
	for byte in requests[1]:
	    sock.sendall(bytes([byte]))
	assert read(sock, 1)[0].transaction == requests[1][8:20]
	# CHANGE-REQUEST and RESPONSE-PORT are for UDP
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

	# a client that asks and does not read
	sock = connect()
	sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
	sock.settimeout(5)
	try:
	    for _ in range(100000):
	        sock.sendall(b"".join(requests))
	    raise AssertionError("the server has kept every answer")
	except (ConnectionResetError, BrokenPipeError):
	    pass

	# idle ones, and those beyond the limit
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
