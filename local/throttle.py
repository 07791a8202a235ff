"""The throttle of a stage: a token bucket like API Gateway's.

Source:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

import time
from collections.abc import Callable
from typing import Self

from serve.limits import Rate


class Throttle:
    """Allows `rate` requests per second, and a burst of `burst` after a pause."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._filled = clock()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse `rate/burst`, such as 50/100. Returns None for an empty text. Raises ValueError."""
        rate = Rate.parse("THROTTLE", text)
        return cls(*rate) if rate else None

    def lets_pass(self) -> bool:
        """Take a token for a request. Returns whether there was one."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
