# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that misuse a daemon's metrics server: metrics_hostile.py PORT PID."""
import http.client
import os
import random
import signal
import socket
import sys
import time

PORT, PID = int(sys.argv[1]), int(sys.argv[2])
PATIENCE = 60


def connect():
    return socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE)


def get(path):
    client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    client.request("GET", path)
    answer = client.getresponse()
    text = answer.read()
    client.close()
    assert answer.status == 200, (path, answer.status)
    return text


def files():
    return len(os.listdir(f"/proc/{PID}/fd"))


def memory():
    with open(f"/proc/{PID}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def say(text):
    print("==", text, flush=True)


def send(client, data):
    """Sends as much as the server accepts. The server may close the connection at any time."""
    try:
        client.sendall(data)
    except OSError:
        pass


def ends(client):
    """Reads until the server closes the connection. Returns the received bytes."""
    text = b""
    try:
        while part := client.recv(65536):
            text += part
    except ConnectionError:
        pass
    client.close()
    return text


def refused(data):
    client = connect()
    send(client, data)
    text = ends(client)
    assert not text or text.split()[1].startswith((b"4", b"5")), (data[:80], text[:200])


get("/metrics")
idle_files, idle_memory = files(), memory()

say("a daemon that is held up for longer than a connection lasts answers afterwards")
client = socket.socket()
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # it takes many writes
client.connect(("127.0.0.1", PORT))
get("/livez")  # a later connection: the daemon has accepted this one
os.kill(PID, signal.SIGSTOP)
try:
    send(client, b"GET /metrics HTTP/1.1\r\n\r\n")
    time.sleep(7)
finally:
    os.kill(PID, signal.SIGCONT)
headers, _, body = ends(client).partition(b"\r\n\r\n")
assert b"\r\nContent-Length: %d" % len(body) in headers, (headers, len(body))

say("oversized, and malformed")
refused(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n")
refused(b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 100000 + b"\r\n\r\n")
refused(b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: b\r\n" % i for i in range(5000)) + b"\r\n")
refused(b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1000000)
refused(b"GET /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000000)
refused(b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")
refused(b"GET /metrics HTTP/9.9\x00\r\n\r\n")
refused(b"GET http://[/metrics HTTP/1.1\r\n\r\n")
refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500)

say("a pipeline and what follows it")
client = connect()
send(client, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
assert ends(client).count(b"HTTP/1.1 200") == 1

say("random bytes")
numbers = random.Random(1)
for _ in range(200):
    client = connect()
    client.settimeout(PATIENCE)
    send(client, numbers.choice([b"", b"GET ", b"GET /metrics HTTP/1.1\r\n", b"HEAD /"]) +
         numbers.randbytes(numbers.randrange(300)) + b"\r\n\r\n")
    client.close()

say("slow, partial, silent, and too many; one does not read")
slow = [connect() for _ in range(100)]
for number, client in enumerate(slow):
    send(client, [b"", b"G", b"GET /metrics HTTP/1.1\r\nAccept: ", b"\r\n"][number % 4])
deaf = connect()
deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
send(deaf, b"GET /metrics HTTP/1.1\r\n\r\n")
began = time.monotonic()
for path in "/livez", "/readyz", "/metrics":
    get(path)
print(f"others were answered in {time.monotonic() - began:.2f} s")
assert files() < idle_files + 60, files()

say("they are closed, even one that sends a byte now and then")
drip = connect()
drip.settimeout(1)
send(drip, b"GET /metrics HTTP/1.1\r\nAccept: ")
began = time.monotonic()
closed = False
while not closed and time.monotonic() - began < PATIENCE:
    send(drip, b"a")
    try:
        closed = drip.recv(1) == b""
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
assert closed, "the connection lasts"
for client in slow:
    ends(client)
while files() > idle_files and time.monotonic() - began < PATIENCE:
    time.sleep(0.1)
assert files() <= idle_files, (files(), idle_files)
assert memory() < idle_memory + 8e6, (memory(), idle_memory)
get("/metrics")
