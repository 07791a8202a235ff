"""Deadlines: the one way in which this project limits how long something may take.

A socket's timeout starts again with each part of a response. A server that sends one byte after
another therefore never exceeds it. A deadline is a moment: all parts must arrive before it.
"""

import io
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from socket import socket

T = TypeVar("T")


class Deadline:
    """The moment `seconds` from now.

    In a `with` block, it is the `current` deadline: statements end before it.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._token: Token[Deadline | None] | None = None

    @property
    def seconds(self) -> float:
        """The seconds that are left; negative after the deadline."""
        return self._end - time.monotonic()

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError after the deadline."""
        if (seconds := self.seconds) > 0:
            return seconds
        raise TimeoutError

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token:
            _current.reset(self._token)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
current = _current.get
"""Return the deadline of the innermost `with` block; None without one."""


class SocketReader(io.RawIOBase):
    """Reads from a connected socket. `left` returns how long the next read may wait.

    None stands for no limit. Raises what `left` raises, and TimeoutError.
    """

    def __init__(self, connection: "socket", left: Callable[[], float | None]) -> None:
        self._connection, self._left = connection, left
        self._file = connection.makefile("rb", buffering=0)  # keeps the socket open until `close`

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._left())
        return self._file.readinto(buffer) or 0

    def close(self) -> None:
        self._file.close()
        super().close()


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Return the result of a call that has no deadline. Raises TimeoutError if it takes longer.

    After TimeoutError, the call continues in its thread until its own timeouts end it.
    """
    from concurrent.futures import Future
    from threading import Thread

    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits)
            result.set_exception(error)

    Thread(target=run, daemon=True).start()
    return result.result(seconds)
