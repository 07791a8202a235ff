"""Threads that run calls for an event loop, without taking Python's lock away from it.

The loop competes with the threads for the lock. Therefore only ACTIVE calls begin at once. A call
that takes longer than ACTIVE_SECONDS is taken to wait for a database, without the lock, so another
one begins.

`loop.run_in_executor` would run calls in all threads at once, and costs two futures per call. Its
threads take turns, so that each gets its own memory, which is no longer in the processor's caches
when its turn comes.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

ACTIVE = 4
ACTIVE_SECONDS = 0.05
SWITCH_SECONDS = 0.000_5
"""How long a thread keeps the lock when the loop wants it. Python's default, 5 ms, would allow the
loop 200 events per second, because it needs the lock for each of them. With less, a request
passes the lock on more often, which costs CPU time."""

T = TypeVar("T")


def favor_event_loop() -> None:
    """Let the event loop of this process get Python's lock soon."""
    sys.setswitchinterval(SWITCH_SECONDS)


class Call:
    """A call, the future that gets its outcome, and the timer after which another call begins."""

    timer: asyncio.TimerHandle | None = None

    def __init__(self, function: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        self.function = function
        self.future = future


class Worker:
    """A thread, which tells the loop each outcome, and which call follows, by `settle`.

    It runs the call that it gets, and then each that it can `take`, without waiting for the loop.
    """

    def __init__(
        self, number: int, take: Callable[[], Call | None], settle: Callable[..., None]
    ) -> None:
        self._take = take
        self._settle = settle
        self._calls: SimpleQueue[Call] = SimpleQueue()
        self.begin = self._calls.put
        Thread(target=self._work, name=f"handler-{number}", daemon=True).start()

    def _work(self) -> None:
        while True:
            call: Call | None = self._calls.get()
            while call:
                call = self._run(call)

    def _run(self, call: Call) -> Call | None:
        """Run a call, and return the one that this thread runs next."""
        try:
            result, error = call.function(), None
        except BaseException as caught:  # noqa: BLE001 (raised where the call is awaited)
            result, error = None, caught
        following = self._take()
        with suppress(RuntimeError):  # the loop has ended
            loop = call.future.get_loop()
            loop.call_soon_threadsafe(self._settle, self, call, result, error, following)
        return following


class Threads:
    """At most `limit` threads. `busy` is the number of calls that run, or wait for a thread.

    A call runs in the thread that became idle last. A thread only starts if none is idle.
    """

    def __init__(self, limit: int) -> None:
        self.busy = 0
        self._limit = limit
        self._active = 0
        self._started = 0
        self._idle: list[Worker] = []
        self._waiting: deque[Call] = deque()

    async def run(self, function: Callable[[], T]) -> T:
        """Return the function's result, or raise its exception.

        The function continues if this is cancelled.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.busy += 1
        self._waiting.append(Call(function, future))
        self._begin()
        return await future

    def _begin(self) -> None:
        while self._active < ACTIVE and self._can_begin() and (call := self._take()):
            self._count(call)
            self._worker().begin(call)

    def _can_begin(self) -> bool:
        return bool(self._idle) or self._started < self._limit

    def _worker(self) -> Worker:
        if self._idle:
            return self._idle.pop()
        self._started += 1
        return Worker(self._started, self._take, self._settle)

    def _take(self) -> Call | None:
        """Return the next call that waits. Threads call this, too."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _count(self, call: Call) -> None:
        self._active += 1
        call.timer = call.future.get_loop().call_later(ACTIVE_SECONDS, self._pass, call)

    def _pass(self, call: Call) -> None:
        """Let another call begin."""
        if call.timer:
            call.timer.cancel()
            call.timer = None
            self._active -= 1
        self._begin()

    def _settle(
        self,
        worker: Worker,
        call: Call,
        result: object,
        error: BaseException | None,
        following: Call | None,
    ) -> None:
        self.busy -= 1
        if following:
            self._count(following)
        else:
            self._idle.append(worker)
        if not call.future.cancelled():
            if error is None:
                call.future.set_result(result)
            else:
                call.future.set_exception(error)
        self._pass(call)
