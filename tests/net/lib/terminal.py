# SPDX-License-Identifier: GPL-2.0-or-later
"""
terminal.py COMMAND…: runs the command on a terminal of its own, of 80 columns and 24 lines, and
takes the steps that standard input has, one a line:

  size COLUMNS LINES    changes the size
  keys TEXT             types; ^L is a control character
  signal NAME           sends a signal, such as TERM
  see REGEX             waits until the output since the last other step has this
  end STATUS            waits for the exit status

Fails with the output of the step. A program may draw only what has changed: let it draw all, by a
key, before a step sees what it has drawn before.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

WAIT_S = 30


def resize(fd, columns, lines):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", int(lines), int(columns), 0, 0))


def typed(text):
    return re.sub(r"\^([A-Z])", lambda key: chr(ord(key[1]) - 64), text).encode()


def read(fd, until):
    """Returns the received data, or None at the end."""
    ready, _, _ = select.select([fd], [], [], max(0, until - time.monotonic()))
    if not ready:
        return b""
    try:
        return os.read(fd, 65536) or None
    except OSError:  # the other end is closed
        return None


def main():
    pid, fd = pty.fork()
    if not pid:
        os.execvp(sys.argv[1], sys.argv[1:])
    resize(fd, 80, 24)
    output = b""
    for step in sys.stdin.read().splitlines():
        verb, _, rest = step.strip().partition(" ")
        until = time.monotonic() + WAIT_S
        if verb == "size":
            output = b""
            resize(fd, *rest.split())
        elif verb == "keys":
            output = b""
            os.write(fd, typed(rest))
        elif verb == "signal":
            os.kill(pid, getattr(signal, "SIG" + rest))
        elif verb == "see":
            while not re.search(rest.encode(), output):
                more = read(fd, until)
                if not more:
                    os.kill(pid, signal.SIGKILL)
                    sys.exit(f"'{step}': {'no' if more is None else 'late'} output: {output!r}")
                output += more
        elif verb == "end":
            while (more := read(fd, until)) is not None and time.monotonic() < until:
                output += more
            if more is not None:
                os.kill(pid, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status != int(rest):
                sys.exit(f"'{step}': exit status {status}: {output!r}")
        elif verb:
            sys.exit(f"unknown step '{step}'")


main()
