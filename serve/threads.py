"""A fixed number of threads that run calls for an event loop.

`loop.run_in_executor` does the same with two futures per call, which costs several times as much.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
Task = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Threads:
    """`count` threads. `busy` is the number of calls that run, or wait for a thread."""

    def __init__(self, count: int) -> None:
        self.busy = 0
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        for number in range(count):
            Thread(target=self._work, name=f"handler-{number}", daemon=True).start()

    async def run(self, call: Callable[[], T]) -> T:
        """Return the call's result, or raise its exception.

        The call continues if this is cancelled.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self.busy += 1
        self._tasks.put((call, loop, future))
        return await future

    def _work(self) -> None:
        while True:
            call, loop, future = self._tasks.get()
            try:
                result, error = call(), None
            except BaseException as caught:  # noqa: BLE001 (raised where the call is awaited)
                result, error = None, caught
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._settle, future, result, error)

    def _settle(
        self, future: "asyncio.Future[Any]", result: object, error: BaseException | None
    ) -> None:
        self.busy -= 1
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
