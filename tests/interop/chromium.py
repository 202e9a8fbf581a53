# SPDX-License-Identifier: GPL-2.0-or-later
"""
Gathers candidates in a headless Chromium. Usage: chromium.py PROGRAM DIRECTORY-OF-STATE ADDR:PORT…
Prints a line for each STUN server: its address, the server-reflexive address.

Drives the browser by its own protocol over two pipes, descriptors 3 and 4: JSON messages, each
terminated by a NUL byte.
"""
import json
import os
import subprocess
import sys

GATHER = """
(async () => {
    const peer = new RTCPeerConnection({ iceServers: [{ urls: "stun:%s" }] });
    peer.createDataChannel("any");
    const found = [];
    const complete = new Promise((resolve) => {
        peer.onicecandidate = (event) => event.candidate ? found.push(event.candidate) : resolve();
    });
    await peer.setLocalDescription(await peer.createOffer());
    await complete;
    const reflexive = found.find((candidate) => candidate.type === "srflx");
    return reflexive ? reflexive.address : "none";
})()
"""


class Browser:
    def __init__(self, program, state):
        theirs_in, self.out = os.pipe()
        self.input, theirs_out = os.pipe()
        self.buffer, self.last = b"", 0

        def hand_over():
            # above 4, so that dup2() overwrites neither before it is copied
            ends = [os.dup2(fd, high) for fd, high in ((theirs_in, 20), (theirs_out, 21))]
            for number, fd in zip((3, 4), ends):
                os.dup2(fd, number)

        self.process = subprocess.Popen(
            [program, "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={state}", "about:blank"],
            preexec_fn=hand_over, close_fds=False, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)

    def call(self, method, session=None, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.buffer:
                more = os.read(self.input, 65536)
                assert more, "the browser has ended"
                self.buffer += more
            text, _, self.buffer = self.buffer.partition(b"\0")
            answer = json.loads(text)
            # other messages are events
            if answer.get("id") == self.last:
                assert "result" in answer, answer
                return answer["result"]


def main(program, state, *servers):
    browser = Browser(program, state)
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for server in servers:
        result = browser.call("Runtime.evaluate", session, expression=GATHER % server,
                              awaitPromise=True, returnByValue=True)
        print(server, result["result"].get("value", result))
    browser.call("Browser.close")
    browser.process.wait()


main(*sys.argv[1:])
