# SPDX-License-Identifier: GPL-2.0-or-later
"""
Punches two NATs again and again, for kinds.sh. It runs in the namespace of the host that accepts.

  punch.py NUMBER OTHER WANTED COUNT TRANSPORT SERVER SERVER_KEY

The peer run<NUMBER> accepts, behind nat<NUMBER>; connect<OTHER> connects, from in<OTHER> behind
nat<OTHER>. Each punch has two new processes, which bind new ports, and NATs without a mapping.
Prints one outcome for each punch: "direct" if both peers use a direct path, or "relayed" if both
use the relay and no other address has answered until their search has ended. Bytes pass before that
and after it. Any other outcome is "failed"; the standard error then has the logs.
"""
import asyncio
import contextlib
import json
import os
import re
import sys

NUMBER, OTHER, WANTED, COUNT, TRANSPORT, SERVER, SERVER_KEY = sys.argv[1:]
SLUICE, TMP = os.environ["SLUICE"], os.environ["TEST_TMP"]
MAPS = ("mapped", "mapped_tcp", "admitted", "admitted_tcp")  # of tools/lab/nat.sh
LIMIT = 120  # seconds for one punch, only reached by a failure
PATH = re.compile(r'msg="path(| lost)" .*?(?: kind=(\S+)|$)')


class Failed(Exception):
    """There is no path, or it does not pass bytes."""


class Peer:
    """A process, and its log."""

    def __init__(self, name):
        self.name, self.log, self.kind = name, [], None
        self.changed = asyncio.Event()

    async def start(self, namespace, command, *options):
        self.process = await asyncio.create_subprocess_exec(
            "nsenter", f"--net=/run/netns/{namespace}", "--", SLUICE, "peer", command,
            "--server", SERVER, "--server-key", SERVER_KEY, "--id", self.name, "--key-file",
            f"{TMP}/{self.name}.key", "--trust-server", "--transport", TRANSPORT,
            "--port-mapping", "off", "-v", *options, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        async for line in self.process.stderr:
            self.log.append(line.decode().rstrip())
            if found := PATH.search(self.log[-1]):
                self.kind = found[2]
            self.changed.set()
        self.kind = "ended"
        self.changed.set()

    async def is_registered(self):
        while not any('msg="registered"' in line for line in self.log):
            await change([self])

    async def has_searched(self):
        """Returns true if no other address is being checked."""
        process = await asyncio.create_subprocess_exec(
            SLUICE, "-j", "peer", "list", "--id", self.name, stdout=asyncio.subprocess.PIPE)
        text, _ = await process.communicate()
        if process.returncode:
            raise Failed("the paths are unknown")
        return [path["relayed_because"] for peer in json.loads(text)["peers"]
                for path in peer["paths"]] == ["no other address answers"]

    async def echo(self, text):
        self.process.stdin.write(text)
        if await self.process.stdout.readexactly(len(text)) != text:
            raise Failed("other bytes came back")

    async def stop(self):
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()
        await self.reader


async def change(peers):
    """Waits for a line in a log, at most a second. Fails if a process has ended."""
    if any(peer.kind == "ended" for peer in peers):
        raise Failed("a peer has ended")
    waits = [asyncio.create_task(peer.changed.wait()) for peer in peers]
    await asyncio.wait(waits, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    for peer in peers:
        peer.changed.clear()


async def settle(peers):
    while True:
        kinds = [peer.kind for peer in peers]
        if None not in kinds and not {"relayed", "ended"} & set(kinds):
            return "direct"
        if kinds == ["relayed"] * 2 and all([await peer.has_searched() for peer in peers]):
            # the path may have moved meanwhile
            if kinds == [peer.kind for peer in peers]:
                return "relayed"
        await change(peers)


async def attempt(accepts, connects):
    await accepts.start(f"in{NUMBER}", "run", "--expose", "tcp:127.0.0.1:7")
    await accepts.is_registered()
    await connects.start(f"in{OTHER}", "connect", "--to", accepts.name, "--stdio")
    await connects.echo(b"before\n")
    outcome = await settle([accepts, connects])
    await connects.echo(b"after\n")
    return outcome


async def punch():
    peers = [Peer(f"run{NUMBER}"), Peer(f"connect{OTHER}")]
    try:
        outcome = await asyncio.wait_for(attempt(*peers), LIMIT)
    except (Failed, OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
        outcome = "failed"
        print(repr(error), file=sys.stderr)
    finally:
        for peer in reversed(peers):
            if hasattr(peer, "process"):
                await peer.stop()
    return outcome, peers


async def forget(number):
    """Removes all mappings of a NAT."""
    inside = ("nsenter", f"--net=/run/netns/nat{number}", "--")
    rules = await asyncio.create_subprocess_exec(
        *inside, "nft", "list", "tables", "ip", stdout=asyncio.subprocess.PIPE)
    if b"ip lab" in (await rules.communicate())[0]:
        flush = await asyncio.create_subprocess_exec(
            *inside, "nft", *"; ".join(f"flush map ip lab {name}" for name in MAPS).split())
        assert await flush.wait() == 0
    flush = await asyncio.create_subprocess_exec(
        *inside, "conntrack", "-F", stderr=asyncio.subprocess.DEVNULL)
    assert await flush.wait() == 0


async def echo_service(reader, writer):
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(4096):
            writer.write(block)
    writer.close()


async def main():
    await asyncio.start_server(echo_service, "127.0.0.1", 7)
    for _ in range(int(COUNT)):
        # the server introduces a peer once a second
        (outcome, peers), _ = await asyncio.gather(punch(), asyncio.sleep(1))
        print(outcome, flush=True)
        for peer in peers if outcome != WANTED else ():
            print(f"{outcome}: {peer.name}:", *peer.log, sep="\n  ", file=sys.stderr)
        await forget(NUMBER)
        await forget(OTHER)

asyncio.run(main())
