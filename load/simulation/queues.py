"""Building blocks of the simulation: a queue with servers, a token bucket, an environment pool."""

from collections import deque
from collections.abc import Callable, Generator
from math import ceil
from typing import Any

import simpy

Process = Generator[simpy.Event, Any, Any]


class Station:
    """Servers with one first-come-first-served queue. Submitted work is always completed.

    Capacity is measured in servers. It may change, and may be fractional: 2.5 means three
    servers, each a sixth slower.
    """

    def __init__(self, env: simpy.Environment, capacity: float) -> None:
        self._env = env
        self._waiting: deque[tuple[simpy.Event, float]] = deque()
        self._busy = 0
        self.started = 0.0
        """Total seconds of started work, at full speed."""
        self.set_capacity(capacity)

    def set_capacity(self, capacity: float) -> None:
        """Change the capacity for waiting work. Work in progress keeps its speed."""
        self._servers = max(1, ceil(capacity - 1e-9))
        self._speed = capacity / self._servers
        self._admit()

    @property
    def present(self) -> int:
        """Number of items in service or waiting."""
        return self._busy + len(self._waiting)

    @property
    def has_queue(self) -> bool:
        return bool(self._waiting)

    def submit(self, work: float) -> simpy.Event:
        """Queue work, in seconds, and return the event of its completion."""
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
    """A token bucket with `rate` tokens per second and at most `burst` tokens. It starts full.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
    """

    def __init__(self, env: simpy.Environment, rate: float, burst: float) -> None:
        self._env = env
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, env.now

    def take(self) -> bool:
        """Take a token, and return whether one was available."""
        now = self._env.now
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RateRule:
    """A rule that blocks a client whose mean rate over a window is above `rate`.

    It notices a change of the rate only after `delay` seconds. Blocked requests count, too.

    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-caveats.html
    """

    def __init__(self, env: simpy.Environment, rate: float, window: float, delay: float) -> None:
        self._env = env
        self._limit, self._window, self._delay = rate * window, window, delay
        self._unnoticed: deque[float] = deque()
        self._noticed: deque[float] = deque()

    def blocks(self) -> bool:
        """Count a request, and return whether it is blocked."""
        now = self._env.now
        self._unnoticed.append(now)
        while self._unnoticed and self._unnoticed[0] <= now - self._delay:
            self._noticed.append(self._unnoticed.popleft())
        while self._noticed and self._noticed[0] <= now - self._delay - self._window:
            self._noticed.popleft()
        return len(self._noticed) > self._limit


class Pool:
    """Execution environments of a function, last used first. Idle environments are removed.

    `limit` is the maximum number of environments. `ramp` limits how fast they are added.
    """

    def __init__(
        self, env: simpy.Environment, limit: float, ramp: TokenBucket, idle_seconds: float
    ) -> None:
        self._env = env
        self._limit, self._ramp, self._idle_seconds = limit, ramp, idle_seconds
        self._idle: deque[float] = deque()
        self.busy = 0

    def warm(self, count: float) -> None:
        """Start with this number of idle environments, rounded up, within the limit."""
        self._idle.extend([self._env.now] * ceil(min(count, self._limit)))

    def take(self) -> bool | None:
        """Take an environment. Return whether it starts cold, or None if none is available."""
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
