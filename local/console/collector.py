"""A local X-Ray daemon: receives segments by UDP, for the console to show.

A thread receives them, so that bursts do not delay pages, and pages do not delay bursts. Waiting
segments are in the system's buffer. If it is full, segments are lost; Linux counts them.
"""

import os
import socket
import struct
import sys
import threading
from typing import Self

from local.console.traces import Traces

MAX_DATAGRAM = 65_536
BUFFER = 4 << 20  # bytes; some systems allow less
COUNT_LOST = 40  # Linux's SO_RXQ_OVFL, which Python does not define
_COUNT = struct.Struct("=I")


class Collector:
    """Listens on a port of this machine until `close()`. Port 0 selects a free port.

    Raises OSError if the port is in use. `lost` counts datagrams that the system dropped.
    """

    def __init__(self, port: int, traces: Traces) -> None:
        self.lost = 0
        self._traces = traces
        self._is_closing = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._prepare(port)
        except OSError:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._receive, name="collector", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        self._is_closing = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self, port: int) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if sys.platform == "linux":
            self._socket.setsockopt(socket.SOL_SOCKET, COUNT_LOST, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise OSError(f"can't listen on UDP port {port}: {reason}") from error

    def _receive(self) -> None:
        room = socket.CMSG_SPACE(_COUNT.size)
        while not self._is_closing:
            datagram, more, *_ = self._socket.recvmsg(MAX_DATAGRAM, room)
            for _level, kind, data in more:
                if kind == COUNT_LOST:
                    (self.lost,) = _COUNT.unpack(data)
            if datagram:
                self._traces.take(datagram)
