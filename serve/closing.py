"""Stop the arrival of connections at a listening socket, before its processes close it.

When a socket closes, the kernel resets connections that no process has accepted. A filter on the
socket drops the packets with which connections begin (SYN). Clients repeat them after a second, and
then get "connection refused", so no request is lost.

Source: https://www.kernel.org/doc/html/latest/networking/filter.html
"""

import ctypes
import socket
import struct
import sys

SO_ATTACH_FILTER = 26
INSTRUCTIONS = (
    (0x30, 0, 0, 13),  # load byte 13 of the TCP header: its flags
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # accept
)


def drop_new_connections(listener: socket.socket) -> None:
    """Drop new connections, in all processes that share the socket. Linux only."""
    if sys.platform != "linux":
        return
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in INSTRUCTIONS)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(INSTRUCTIONS), ctypes.addressof(buffer))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
