#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fast path: XDP answers Binding requests and refreshes, in generic mode on a veth and in native
# mode on a TAP device, and the server receives none of them. The server answers the requests that
# XDP passes. The program of another owner stays, and a killed server leaves nothing behind.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/cpu.sh"
. "$(dirname "$0")/../lib/meet.sh"
. "$(dirname "$0")/../lib/metrics.sh"

meet_up
peer_add alice
SERVE=(in_ns "$HOST" timeout 20 "$SLUICE" rendezvous serve)
LISTEN='192.0.2.1:3478,[2001:db8::1]:3478'

# xdp_of DEV: prints the name of the XDP program
xdp_of()
{
	in_ns "$HOST" ip -d -j link show dev "$1" |
		json "d[0].get('xdp', {}).get('prog', {}).get('name', 'none')" cat
}

xdp_is()
{
	[ "$(xdp_of "$1")" = "$2" ]
}

# answered: prints the number of Binding requests and refreshes answered by XDP and by the server
answered()
{
	shown "tuple(c[k] for c, k in ((d['xdp']['counters'], 'bindings'), (d['counters'], 'binding'), \
		(d['xdp']['counters'], 'refreshes'), (d['counters'], 'refreshed')))"
}

# bind_all HOST…: sends requests with and without FINGERPRINT from CONTAINER
bind_all()
{
	peers_run <<-PYTHON
		for host in "$*".split():
		    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
		    sock.settimeout(20)
		    sock.connect((host, 3478))
		    for fingerprint in False, True:
		        sent = os.urandom(12)
		        sock.send(build(BINDING, REQUEST, sent, [(0x8022, b"test")] * fingerprint, fingerprint=fingerprint))
		        answer = Message(sock.recv(2048))
		        assert answer.transaction == sent and answer.kind == SUCCESS
		        assert answer.address(XOR_MAPPED) == sock.getsockname()[:2]
		        assert len(answer.data) == (44 if ":" in host else 32) + 8 * fingerprint
	PYTHON
}

say "bad input"
want_status 2 "${SERVE[@]}" --listen 192.0.2.1:3478 --xdp eth0,
want_text "a name is empty"
want_status 1 "${SERVE[@]}" --listen 192.0.2.1:3478 --xdp eth0,nope
want_text "no interface 'nope'"
want_status 2 "${SERVE[@]}" --listen 0.0.0.0:3478 --xdp eth0
want_text "0.0.0.0:3478 is the wildcard address"
want_status 4 in_ns "$HOST" setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-bpf,-sys_admin \
	"$SLUICE" rendezvous serve --listen 192.0.2.1:3478 --xdp eth0
want_text "CAP_BPF"
want_equal "$(xdp_of eth0)" none

say "the server receives neither Binding requests nor refreshes"
# a veth leaves checksums incomplete; generic XDP does not answer such requests
checksums_full "$CONTAINER" eth0
rendezvous_start --listen "$LISTEN" --xdp eth0
grep -q 'msg="XDP attached" interface=eth0 mode=generic reason="the other end of a veth' "$SERVER_LOG"
bind_all 192.0.2.1 2001:db8::1
want_equal "$(answered)" "(4, 0, 0, 0)"
peers_run <<-'PYTHON'
	alice = peer("alice")
	assert alice.register().kind == SUCCESS
	for _ in range(3):
	    assert alice.refresh().kind == SUCCESS
	# the server handles a refresh from another address
	moved = peer("alice")
	moved.token_key, moved.registration, moved.mapped = alice.token_key, alice.registration, alice.mapped
	assert moved.refresh().error() == 437
PYTHON
want_equal "$(answered)" "(4, 0, 3, 0)"
want_equal "$(shown "(d['registered'][0]['name'], d['registered'][0]['seen_for_s'] < 20)")" "('alice', True)"
want_equal "$(shown "d['amplification'] < 2.2")" True
want_status 0 sluice rendezvous show
want_text "XDP on eth0: generic: the other end"

say "messages that XDP does not handle"
peers_run <<-'PYTHON'
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.settimeout(20)
	sock.connect(SERVER)
	sock.send(build(BINDING, REQUEST, os.urandom(12), [(0x7FFF, b"")]))
	assert Message(sock.recv(2048)).error() == 420
	# RFC 3489
	sock.send(struct.pack(">HH", 1, 0) + bytes(range(16)))
	assert sock.recv(2048)[4:20] == bytes(range(16))
PYTHON
want_equal "$(answered)" "(4, 1, 3, 0)"

say "independent clients"
stunclients_bind
want_equal "$(answered)" "(6, 1, 3, 0)"
# XDP answers the probe; the server answers the requests with RESPONSE-PORT
want_equal "$(json "(d['mapping']['behaviour'], d['ports']['behaviour'], d['lifetime']['alive_s'])" \
	in_ns "$CONTAINER" "$SLUICE" -j nat probe 192.0.2.1:3478 --lifetime 1)" "('none', 'preserved', 1.0)"
mapfile -t -d ' ' probed < <(answered | tr -d '(,)')
((probed[0] >= 10 && probed[1] > 1)) || fail "answered: ${probed[*]}"
# it also sends a request with MESSAGE-INTEGRITY
in_ns "$CONTAINER" /usr/bin/python3 "$ROOT/tests/net/lib/gather.py" 192.0.2.1 192.0.2.10
# a client on a busy machine may repeat its request
want_equal "$(shown "(d['xdp']['counters']['bindings'] > ${probed[0]}, d['counters']['binding'])")" \
	"(True, $((probed[1] + 1)))"
want_status 0 in_ns "$CONTAINER" timeout 60 stun 192.0.2.1 1 -v
want_text "MappedAddress = 192.0.2.10:"

say "the message names the process that holds the program"
want_status 5 "${SERVE[@]}" --name second --listen 192.0.2.1:3479 --xdp eth0
want_text "eth0: already has XDP program 'sluice_meet_g'"
want_text "owner 'sluice' (process $RENDEZVOUS) detach it"

say "a killed server leaves no program behind"
kill -KILL "$RENDEZVOUS"
wait "$RENDEZVOUS" || true
wait_until 20 xdp_is eth0 none

say "the run time of the program is a metric, of a process without capabilities"
rendezvous_start --listen "$LISTEN" --xdp eth0 --metrics "$METRICS_PORT"
want_equal "$(awk '$1 == "CapEff:" { print $2 }' "/proc/$RENDEZVOUS/status")" 0000000000000000
# BPF statistics are on while top runs
"$SLUICE" -j top --interval 1 >"$TEST_TMP/top" &
TOP=$!
wait_until 30 test -s "$TEST_TMP/top" || fail "top prints nothing"
peers_run <<-'PYTHON'
	assert peer("alice").register().kind == SUCCESS
PYTHON
bind_all 192.0.2.1
has_run()
{
	[ "$(metrics value 'sluice_program_runs_total{program="sluice_meet_g"}')" -gt 0 ]
}
wait_until 30 has_run || fail "$(metrics get /metrics | grep ^sluice_program)"
stop "$TOP"
metrics get /metrics | sed 1d >"$TEST_TMP/text"
awk '/^sluice_program_run_seconds_total.*sluice_meet_g/ && $2 > 0 { found = 1 } END { exit !found }' \
	"$TEST_TMP/text" || fail "no run time"
want_values 'sluice_object_loaded{object="rendezvous"}' 1 \
	'sluice_table_entries{object="rendezvous",table="registrations"}' 1 \
	'sluice_program_runs_total{program="sluice_meet"}' 0
rendezvous_stop
wait_until 20 xdp_is eth0 none

say "another owner's program stays"
id=$(in_ns "$HOST" "$FOREIGN" --dev eth0 --type xdp --name theirs --link /sys/fs/bpf/theirs)
want_status 5 "${SERVE[@]}" --listen 192.0.2.1:3478 --xdp eth0
want_text "eth0: already has XDP program 'theirs' (id $id)"
want_equal "$(xdp_of eth0)" theirs
rm /sys/fs/bpf/theirs
wait_until 20 xdp_is eth0 none

say "native, on a TAP device: a frame is answered, its padding is not"
ip -n "$HOST" tuntap add tap0 mode tap
ip -n "$HOST" addr add 203.0.113.1/24 dev tap0
ip -n "$HOST" link set tap0 up
rendezvous_start --listen "$LISTEN,203.0.113.1:3478" --xdp eth0,tap0
grep -q 'interface=tap0 mode=native' "$SERVER_LOG"
bind_all 192.0.2.1 2001:db8::1
want_equal "$(answered)" "(4, 0, 0, 0)"
in_ns "$HOST" python3 - <<-'PYTHON'
	import fcntl
	import os
	import select
	import struct

	from rendezvous import *

	IFF_TAP, IFF_NO_PI, TUNSETIFF = 2, 0x1000, 0x400454CA
	tap = os.open("/dev/net/tun", os.O_RDWR)
	fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"tap0", IFF_TAP | IFF_NO_PI))

	def checksum(data):
	    total = sum(struct.unpack(f">{len(data) // 2}H", data))
	    while total >> 16:
	        total = (total & 0xFFFF) + (total >> 16)
	    return ~total & 0xFFFF

	server, client = bytes([203, 0, 113, 1]), bytes([203, 0, 113, 9])
	sent = os.urandom(12)
	payload = build(BINDING, REQUEST, sent, [])
	ip = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0) + client + server
	ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
	udp = struct.pack(">HHHH", 4000, 3478, 8 + len(payload), 0) + payload
	mac, peer_mac = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
	frame = mac + peer_mac + b"\x08\0" + ip + udp
	os.write(tap, frame.ljust(90, b"\0"))
	while True:
	    assert select.select([tap], [], [], 20)[0], "no answer"
	    answer = os.read(tap, 2048)
	    if answer[:14] == peer_mac + mac + b"\x08\0":
	        break
	assert len(answer) == 14 + 20 + 8 + 32 and checksum(answer[14:34]) == 0
	assert answer[26:34] == server + client
	pseudo = answer[26:34] + struct.pack(">HH", 17, 40)
	assert checksum(pseudo + answer[34:]) == 0
	message = Message(answer[42:])
	assert message.transaction == sent and message.address(XOR_MAPPED) == ("203.0.113.9", 4000)
PYTHON
want_equal "$(answered)" "(5, 0, 0, 0)"
rendezvous_stop
wait_until 20 xdp_is eth0 none
want_equal "$(xdp_of tap0)" none

say "a second address (RFC 5780): the server answers, since it has to name both"
rendezvous_start --listen 192.0.2.1:3478 --alternate 192.0.2.2:3479 --xdp eth0
peers_run <<-'PYTHON'
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.settimeout(20)
	sock.connect(SERVER)
	sock.send(build(BINDING, REQUEST, os.urandom(12), []))
	assert Message(sock.recv(2048)).address(OTHER_ADDRESS, False) == ("192.0.2.2", 3479)
	alice = peer("alice")
	assert alice.register().kind == alice.refresh().kind == SUCCESS
PYTHON
want_equal "$(answered)" "(0, 1, 1, 0)"
rendezvous_stop
