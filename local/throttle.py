"""The throttle of a stage: a token bucket like API Gateway's.

Source:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

import re
import time
from collections.abc import Callable
from typing import Self

FORM = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})")


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
        if not text:
            return None
        if not (numbers := FORM.fullmatch(text)):
            raise ValueError(f"THROTTLE must be rate/burst, such as 50/100, got {text!r}")
        return cls(int(numbers[1]), int(numbers[2]))

    def lets_pass(self) -> bool:
        """Take a token for a request. Returns whether there was one."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
