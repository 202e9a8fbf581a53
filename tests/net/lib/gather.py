# SPDX-License-Identifier: GPL-2.0-or-later
"""
Gathers candidates with aioice, and checks that the server-reflexive candidate is OWN. Usage:
gather.py SERVER OWN
"""
import asyncio
import sys

import aioice

async def main(server, own):
    connection = aioice.Connection(ice_controlling=True, stun_server=(server, 3478), use_ipv6=False)
    await connection.gather_candidates()
    found = [(c.type, c.host) for c in connection.local_candidates]
    await connection.close()
    assert ("srflx", own) in found, found
    # a request as between ICE agents, with MESSAGE-INTEGRITY and FINGERPRINT
    future = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr):
            future.set_result(aioice.stun.parse_message(data))

    message = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
    message.add_message_integrity(b"key")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Protocol, local_addr=(own, 6000))
    transport.sendto(bytes(message), (server, 3478))
    answer = await asyncio.wait_for(future, 20)
    transport.close()
    assert answer.transaction_id == message.transaction_id
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == (own, 6000), answer
    assert "FINGERPRINT" in answer.attributes

asyncio.run(main(*sys.argv[1:]))
