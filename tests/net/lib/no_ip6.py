# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command that can open no IPv6 socket, as on a kernel without IPv6.

    no_ip6.py COMMAND...
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]

filters = [
    (LOAD_WORD, 0, 0, 0),  # the number of the system call
    (JUMP_EQUAL, 0, 3, SOCKET),
    (LOAD_WORD, 0, 0, 16),  # its first argument
    (JUMP_EQUAL, 0, 1, socket.AF_INET6),
    (RETURN, 0, 0, RET_ERRNO | errno.EAFNOSUPPORT),
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
os.execvp(sys.argv[1], sys.argv[1:])
