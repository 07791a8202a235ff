"""Threads for blocking calls, cheaper than ThreadPoolExecutor.

An executor creates two futures and a lock per call. Here, a call has one future of the event loop.
Over 8 connections, the server completes 1.2 to 1.6 times as many calls per second.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
Task = tuple[asyncio.Future[Any], Callable[[], Any]]


class Threads:
    """Threads that are started when they are needed and end with the program.

    The caller limits the number of concurrent calls. Only the event loop may call `run`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        self._started = 0
        self._pending = 0

    def run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Run `call` in a thread. Cancelling the future does not end the call."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending += 1
        if self._pending > self._started:
            self._started += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._tasks.put((future, call))
        return future

    def _work(self) -> None:
        while True:
            future, call = self._tasks.get()
            result, error = None, None
            try:
                result = call()
            except BaseException as caught:  # noqa: BLE001 (the caller gets it)
                error = caught
            future.get_loop().call_soon_threadsafe(self._end, future, result, error)
            del future, call, result, error  # else they live until the next call

    def _end(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._pending -= 1
        if future.cancelled():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)
