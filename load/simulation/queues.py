"""What requests wait for: servers with a queue, a bucket of tokens, a pool of environments."""

from collections import deque
from collections.abc import Callable, Generator
from math import ceil
from typing import Any

import simpy

Process = Generator[simpy.Event, Any, Any]


class Station:
    """Servers with one queue, first come first served; what was submitted is always done.

    Capacity, in servers' worth of work, may change while it runs and need not be whole: two and
    a half are three servers, each a sixth slower.
    """

    def __init__(self, env: simpy.Environment, capacity: float) -> None:
        self._env = env
        self._waiting: deque[tuple[simpy.Event, float]] = deque()
        self._busy = 0
        self.started = 0.0
        """Seconds of work that were begun so far, at full speed."""
        self.set_capacity(capacity)

    def set_capacity(self, capacity: float) -> None:
        """Change it: at once for who waits, and not for what is being served."""
        self._servers = max(1, ceil(capacity - 1e-9))
        self._speed = capacity / self._servers
        self._admit()

    @property
    def present(self) -> int:
        """How many are served or wait."""
        return self._busy + len(self._waiting)

    @property
    def has_queue(self) -> bool:
        return bool(self._waiting)

    def submit(self, work: float) -> simpy.Event:
        """Return the event that so many seconds of work are done, after those before it."""
        if self._busy < self._servers:
            return self._start(work)
        done = self._env.event()
        self._waiting.append((done, work))
        return done

    def _start(self, work: float) -> simpy.Event:
        self._busy += 1
        self.started += work
        end = self._env.timeout(work / self._speed)
        end.callbacks.append(self._finish)
        return end

    def _finish(self, _: simpy.Event) -> None:
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._busy < self._servers:
            done, work = self._waiting.popleft()
            self._start(work).callbacks.append(_succeed(done))


def _succeed(event: simpy.Event) -> Callable[[simpy.Event], None]:
    return lambda _: event.succeed()


class TokenBucket:
    """`rate` tokens a second, of which `burst` at most are kept; it is full at first.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
    """

    def __init__(self, env: simpy.Environment, rate: float, burst: float) -> None:
        self._env = env
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, env.now

    def take(self) -> bool:
        """Take a token, if there is one."""
        now = self._env.now
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Pool:
    """Execution environments of a function: the one used last is used first, idle ones go.

    `ramp` is what bounds how fast environments are added; `limit` how many there are at once.
    """

    def __init__(
        self, env: simpy.Environment, limit: float, ramp: TokenBucket, idle_seconds: float
    ) -> None:
        self._env = env
        self._limit, self._ramp, self._idle_seconds = limit, ramp, idle_seconds
        self._idle: deque[float] = deque()
        self.busy = 0

    def warm(self, count: float) -> None:
        """Have about so many idle environments, rounded up, or as many as there may be."""
        self._idle.extend([self._env.now] * ceil(min(count, self._limit)))

    def take(self) -> bool | None:
        """Take an environment; return whether it must start first, or None where there is none."""
        while self._idle and self._env.now - self._idle[0] > self._idle_seconds:
            self._idle.popleft()
        if self._idle:
            self._idle.pop()
            is_cold = False
        elif self.busy < self._limit and self._ramp.take():
            is_cold = True
        else:
            return None
        self.busy += 1
        return is_cold

    def give_back(self) -> None:
        self.busy -= 1
        self._idle.append(self._env.now)
