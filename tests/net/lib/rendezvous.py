# SPDX-License-Identifier: GPL-2.0-or-later
"""
A rendezvous client, written only from sluice-protocol(7). It shares no code with the server, so it
also checks the page, the keys and the MACs.
"""
import base64
import hashlib
import hmac
import os
import socket
import struct
import time
import zlib

COOKIE = 0x2112A442
BINDING, REGISTER, REFRESH, UNREGISTER, CONNECT, INTRODUCE, REPORT = 1, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5
REQUEST, SUCCESS, ERROR = 0, 2, 3
USERNAME, ERROR_CODE, UNKNOWN, LIFETIME, NONCE, SHA256 = 0x06, 0x09, 0x0A, 0x0D, 0x15, 0x1C
MAPPED, XOR_MAPPED, CHANGE_REQUEST, PADDING, RESPONSE_PORT = 0x01, 0x20, 0x03, 0x26, 0x27
FINGERPRINT, RESPONSE_ORIGIN, OTHER_ADDRESS = 0x8028, 0x802B, 0x802C
CANDIDATE, PEER_NAME, PEER_KEY, EPHEMERAL, SESSION, DELAY = 0x4A50, 0x4A51, 0x4A52, 0x4A53, 0x4A54, 0x4A55
REGISTRATION, TOKEN, PROOF, OUTCOME, BEHIND_NAT = 0x4A56, 0x4A57, 0x4A58, 0x4A59, 0xCA50
HOST, REFLEXIVE = 1, 2
UDP, TCP = 1, 2


# --- keys

P = 2**255 - 19


def x25519(scalar, point):
    """RFC 7748, section 5."""
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public_of(secret):
    return x25519(secret, (9).to_bytes(32, "little"))


def derive(secret, other):
    """HKDF-SHA256 (RFC 5869) without a salt."""
    prk = hmac.digest(bytes(32), x25519(secret, other), "sha256")
    return hmac.digest(prk, b"sluice rendezvous 1\x01", "sha256")


def siphash(key, data):
    mask = 2**64 - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(x, by):
        return (x << by | x >> 64 - by) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = v[0] + v[1] & mask
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = v[2] + v[3] & mask
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & mask
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & mask
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    last = data[len(data) // 8 * 8:]
    padded = data + bytes(7 - len(last)) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# --- messages


def message_type(method, kind):
    return (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF | (kind & 2) << 7 | (kind & 1) << 4


def attribute(kind, value):
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def build(method, kind, transaction, attributes, key=None, fingerprint=False):
    body = b"".join(attribute(k, v) for k, v in attributes)

    def header(more):
        return struct.pack(">HHI", message_type(method, kind), len(body) + more, COOKIE) + transaction

    if key:
        body += attribute(SHA256, hmac.digest(key, header(36) + body, "sha256"))
    if fingerprint:
        body += attribute(FINGERPRINT, struct.pack(">I", zlib.crc32(header(8) + body) ^ 0x5354554E))
    return header(0) + body


class Message:
    def __init__(self, data):
        kind, length, cookie = struct.unpack(">HHI", data[:8])
        assert length == len(data) - 20 and cookie == COOKIE, data
        self.data, self.transaction = data, data[8:20]
        self.kind = kind >> 7 & 2 | kind >> 4 & 1
        self.method = kind >> 2 & 0xF80 | kind >> 1 & 0x70 | kind & 0xF
        self.attributes, at = [], 20
        while at < len(data):
            kind, length = struct.unpack(">HH", data[at:at + 4])
            self.attributes.append((kind, data[at + 4:at + 4 + length], at))
            assert not any(data[at + 4 + length:at + 4 + length + -length % 4]), "padding"
            at += 4 + length + -length % 4

    def get(self, kind):
        return next((value for k, value, _ in self.attributes if k == kind), None)

    def number(self, kind):
        value = self.get(kind)
        return None if value is None else int.from_bytes(value, "big")

    def error(self):
        value = self.get(ERROR_CODE)
        return value and value[2] * 100 + value[3]

    def address(self, kind, xored=True):
        value = self.get(kind)
        return value and read_address(value, self.transaction, xored)

    def is_protected(self, key):
        for kind, value, at in self.attributes:
            if kind == SHA256:
                head = self.data[:2] + struct.pack(">H", at + 36 - 20) + self.data[4:at]
                return hmac.compare_digest(hmac.digest(key, head, "sha256"), value)
        return False

    def candidates(self):
        return [(v[0], v[1], *read_address(v[4:], self.transaction)) for k, v, _ in self.attributes if k == CANDIDATE]


def mask_of(transaction):
    return struct.pack(">I", COOKIE) + transaction


def read_address(value, transaction, xored=True):
    port, packed, mask = int.from_bytes(value[2:4], "big"), value[4:], mask_of(transaction)
    if xored:
        port ^= COOKIE >> 16
        packed = bytes(a ^ b for a, b in zip(packed, mask))
    return socket.inet_ntop(socket.AF_INET if value[1] == 1 else socket.AF_INET6, packed), port


def xor_address(host, port, transaction):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = bytes(a ^ b for a, b in zip(socket.inet_pton(family, host), mask_of(transaction)))
    return struct.pack(">BBH", 0, 2 if ":" in host else 1, port ^ COOKIE >> 16) + packed


def mapped(host, port):
    """Returns address and port as in the token: IPv4 as ::ffff:a.b.c.d."""
    packed = socket.inet_pton(socket.AF_INET6, host if ":" in host else "::ffff:" + host)
    return packed + struct.pack(">H6x", port)


# --- a peer


class Peer:
    def __init__(self, name, secret, server_public, server, local=None, tcp=False):
        self.name, self.server, self.tcp = name, server, tcp
        self.key = derive(base64.b64decode(secret), base64.b64decode(server_public))
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        if local:
            self.sock.bind(local)
        self.sock.connect(server)
        self.nonce, self.buffer, self.token_key, self.registration = None, b"", None, None

    def send(self, data):
        self.sock.sendall(data)

    def receive(self, timeout=10):
        """Returns the next message, or None on timeout."""
        self.sock.settimeout(timeout)
        try:
            if not self.tcp:
                return Message(self.sock.recv(4096))
            while len(self.buffer) < 20 or len(self.buffer) < 20 + int.from_bytes(self.buffer[2:4], "big"):
                more = self.sock.recv(4096)
                if not more:
                    return None
                self.buffer += more
        except socket.timeout:
            return None
        size = 20 + int.from_bytes(self.buffer[2:4], "big")
        message, self.buffer = Message(self.buffer[:size]), self.buffer[size:]
        return message

    def transact(self, method, attributes, key=True, transaction=None):
        """Sends a request as the page specifies. Repeats it with the nonce of a challenge."""
        for _ in range(3):
            sent = transaction or os.urandom(12)
            own = [(USERNAME, self.name.encode())]
            own += [(NONCE, self.nonce)] if self.nonce else [(PADDING, bytes(64))]
            made = [(k, v(sent) if callable(v) else v) for k, v in attributes]
            data = build(method, REQUEST, sent, own + made, self.key if key else None)
            self.send(data)
            answer = self.receive()
            while answer and answer.transaction != sent:
                answer = self.receive()
            assert answer, "no answer"
            if answer.error() not in (401, 438) or not answer.get(NONCE):
                return answer
            assert self.tcp or len(answer.data) <= len(data), "the challenge is longer than the request"
            self.nonce = answer.get(NONCE)
        raise AssertionError("challenged again and again")

    def candidate(self, host, port, kind=HOST, transport=UDP):
        return CANDIDATE, lambda sent: bytes([kind, transport, 0, 0]) + xor_address(host, port, sent)

    def register(self, candidates=()):
        answer = self.transact(REGISTER, [self.candidate(*c) for c in candidates])
        if answer.kind == SUCCESS:
            assert answer.is_protected(self.key)
            self.registration = answer.get(REGISTRATION)
            self.mapped = answer.address(XOR_MAPPED)
            label = b"sluice refresh 1" + self.registration
            self.token_key = hmac.digest(self.key, label, "sha256")[:16]
        return answer

    def refresh(self):
        sent = os.urandom(12)
        mac = siphash(self.token_key, self.registration + mapped(*self.mapped))
        data = build(REFRESH, REQUEST, sent, [(TOKEN, self.registration + struct.pack("<Q", mac))])
        self.send(data)
        answer = self.receive()
        assert answer and len(answer.data) <= len(data)
        if answer.kind == SUCCESS:
            proof = siphash(self.token_key, self.registration + sent + bytes(4))
            assert answer.get(PROOF) == struct.pack("<Q", proof)
        return answer

    def unregister(self):
        return self.transact(UNREGISTER, [(REGISTRATION, self.registration)])

    def confirm(self, introduction, ephemeral):
        assert introduction.method == INTRODUCE and introduction.is_protected(self.key)
        self.send(build(INTRODUCE, SUCCESS, introduction.transaction, [(EPHEMERAL, ephemeral)], self.key))
