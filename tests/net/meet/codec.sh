#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The codec and an independent implementation, python3-aioice, read each other's messages: the same
# attributes, integrity and FINGERPRINT, in both directions.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
cd "$ROOT"
cc -std=gnu11 -D_GNU_SOURCE -O1 -shared -fPIC -Iinclude -Iuser user/net/stun*.c -lnettle -lz \
	-o "$TEST_TMP/codec.so"
exec /usr/bin/python3 - "$TEST_TMP/codec.so" <<'PYTHON'
import ctypes
import ipaddress
import random
import struct
import sys
from collections import OrderedDict

from aioice import stun

codec = ctypes.CDLL(sys.argv[1])
codec.stun_end.restype = ctypes.c_size_t
ENOENT, EKEYREJECTED = 2, 129
CLASSES = [stun.Class.REQUEST, stun.Class.INDICATION, stun.Class.RESPONSE, stun.Class.ERROR]
TYPES = {name: number for number, name, _, _ in stun.ATTRIBUTES}
ROUNDS = 300
random.seed(5389)


def address():
    family = random.choice([ipaddress.IPv4Address, ipaddress.IPv6Address])
    bits = 32 if family is ipaddress.IPv4Address else 128
    # the codec treats an IPv4-mapped IPv6 address as IPv4
    return str(family(random.getrandbits(bits) | 1 << bits - 1)), random.getrandbits(16)


def endpoint(value):
    host = ipaddress.ip_address(value[0])
    packed = host.packed if host.version == 6 else bytes(10) + b"\xff\xff" + host.packed
    return packed + struct.pack("!H", value[1])


def from_endpoint(raw):
    host = ipaddress.IPv6Address(raw[:16])
    return str(host.ipv4_mapped or host), struct.unpack("!H", raw[16:18])[0]


def text():
    return "".join(random.choice("abcXYZ-ü") for _ in range(random.randrange(20)))


PLAIN = ["MAPPED-ADDRESS", "RESPONSE-ORIGIN", "OTHER-ADDRESS"]
XORED = ["XOR-MAPPED-ADDRESS", "XOR-PEER-ADDRESS"]
WORDS = ["CHANGE-REQUEST", "PRIORITY"]
DOUBLES = ["ICE-CONTROLLED", "ICE-CONTROLLING"]
TEXTS = ["USERNAME", "REALM", "SOFTWARE"]


def attributes():
    made = OrderedDict()
    for name in random.sample(PLAIN + XORED + WORDS + DOUBLES + TEXTS + ["ERROR-CODE", "NONCE"],
                              random.randrange(8)):
        if name in PLAIN + XORED:
            made[name] = address()
        elif name in WORDS:
            made[name] = random.getrandbits(32)
        elif name in DOUBLES:
            made[name] = random.getrandbits(64)
        elif name in TEXTS:
            made[name] = text()
        elif name == "NONCE":
            made[name] = text().encode()
        else:
            made[name] = random.randrange(300, 700), ""
    return made


def built(method, cls, transaction, values, key):
    """The message by the codec."""
    builder, data = ctypes.create_string_buffer(64), ctypes.create_string_buffer(1500)
    ref = ctypes.byref(builder)
    codec.stun_begin(ref, data, ctypes.c_size_t(1500), int(method), CLASSES.index(cls), transaction)
    for name, value in values.items():
        kind = TYPES[name]
        if name in PLAIN:
            codec.stun_put_address(ref, kind, endpoint(value))
        elif name in XORED:
            codec.stun_put_xor_address(ref, kind, endpoint(value))
        elif name in WORDS:
            codec.stun_put_u32(ref, kind, ctypes.c_uint32(value))
        elif name in DOUBLES:
            codec.stun_put_u64(ref, kind, ctypes.c_uint64(value))
        elif name == "ERROR-CODE":
            codec.stun_put_error(ref, value[0])
        else:
            value = value if isinstance(value, bytes) else value.encode()
            codec.stun_put(ref, kind, value, ctypes.c_size_t(len(value)))
    if key:
        codec.stun_put_sha1(ref, key, ctypes.c_size_t(len(key)))
        codec.stun_put_fingerprint(ref)
    return data.raw[:codec.stun_end(ref)]


def read(message, name):
    """An attribute by the codec, in aioice's form."""
    kind = TYPES[name]
    if name in PLAIN + XORED:
        out = ctypes.create_string_buffer(18)
        get = codec.stun_get_address if name in PLAIN else codec.stun_get_xor_address
        assert get(message, kind, out) == 0, name
        return from_endpoint(out.raw)
    if name in WORDS:
        out = ctypes.c_uint32()
        assert codec.stun_get_u32(message, kind, ctypes.byref(out)) == 0, name
        return out.value
    if name in DOUBLES:
        out = ctypes.c_uint64()
        assert codec.stun_get_u64(message, kind, ctypes.byref(out)) == 0, name
        return out.value
    if name == "ERROR-CODE":
        out = ctypes.c_uint()
        assert codec.stun_get_error(message, ctypes.byref(out)) == 0
        return out.value, ""
    value, length = ctypes.c_void_p(), ctypes.c_size_t()
    assert codec.stun_get(message, kind, ctypes.byref(value), ctypes.byref(length)) == 0, name
    raw = ctypes.string_at(value, length.value)
    return raw if name == "NONCE" else raw.decode()


for _ in range(ROUNDS):
    method, cls = random.choice(list(stun.Method)), random.choice(CLASSES)
    transaction, values = random.randbytes(12), attributes()
    key = random.randbytes(random.randrange(1, 100)) if random.random() < 0.5 else None

    # messages of aioice, read by the codec
    theirs = stun.Message(method, cls, transaction, OrderedDict(values))
    if key:
        theirs.add_message_integrity(key)
    raw = bytes(theirs)
    message = ctypes.create_string_buffer(256)
    assert codec.stun_parse(raw, ctypes.c_size_t(len(raw)), message) == 0, raw.hex()
    for name, value in values.items():
        assert read(message, name) == value, (name, value, raw.hex())
    if key:
        check = codec.stun_check_sha1
        assert check(message, key, ctypes.c_size_t(len(key))) == 0
        assert check(message, key + b"\1", ctypes.c_size_t(len(key) + 1)) == -EKEYREJECTED
    else:
        assert codec.stun_check_sha1(message, b"key", ctypes.c_size_t(3)) == -ENOENT

    # messages of the codec, read by aioice; the bytes must be equal
    ours = built(method, cls, transaction, values, key)
    assert ours == raw, (ours.hex(), raw.hex())
    parsed = stun.parse_message(ours, integrity_key=key)
    assert (parsed.message_method, parsed.message_class) == (method, cls)
    assert parsed.transaction_id == transaction
    for name, value in values.items():
        assert parsed.attributes[name] == value, (name, value, ours.hex())

print(f"{ROUNDS} messages in each direction")
PYTHON
