# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command under a seccomp filter that refuses one system call, like that of a container.

    seccomp.py NUMBER[:ARGUMENT] ERRNO COMMAND...

With ARGUMENT, it refuses only the calls with this number as the first argument.
"""

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000

number, _, argument = sys.argv[1].partition(":")
refuse = [(RETURN, 0, 0, RET_ERRNO | int(sys.argv[2]))]
if argument:
    refuse = [(LOAD_WORD, 0, 0, 16), (JUMP_EQUAL, 0, 1, int(argument)), *refuse]
filters = [
    (LOAD_WORD, 0, 0, 0),  # the number of the system call
    (JUMP_EQUAL, 0, len(refuse), int(number)),
    *refuse,
    (RETURN, 0, 0, RET_ALLOW),
]
memory = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in filters))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(filters), ctypes.addressof(memory)))
libc = ctypes.CDLL(None, use_errno=True)
for call in [
    (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
]:
    if libc.prctl(*call):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[3], sys.argv[3:])
