"""A rate limit for each client, shared by all processes of the server.

The generic cell rate algorithm needs one number for each client: the time at which its next request
is due, if the client sent requests evenly. The numbers are in a file that all processes map into
memory, at the position that a hash of the client selects. Two clients with the same position share
their limit: among 1,000 active clients, another one has the position with a probability of 1.5%.

Source: https://www.itu.int/rec/T-REC-I.371 (annex A)
"""

import hashlib
import mmap
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

FILE = "limits"
CLIENTS = 65_536
KEY_BYTES = 16
_RATE = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")


class Rate(NamedTuple):
    """`per_second` requests on average, and `burst` after a pause."""

    per_second: int
    burst: int

    @classmethod
    def parse(cls, variable: str, text: str) -> Self | None:
        """Parse `rate/burst`, such as 50/100. Returns None for an empty text. Raises ValueError."""
        if not text:
            return None
        if numbers := _RATE.fullmatch(text):
            return cls(int(numbers[1]), int(numbers[2]))
        raise ValueError(f"{variable} must be rate/burst, such as 50/100, got {text!r}")


def create(path: Path) -> None:
    """Create the file, with a random key so that no client can choose its position."""
    path.write_bytes(secrets.token_bytes(KEY_BYTES) + bytes(8 * CLIENTS))


class Limits:
    """The limits in the file that `create` has made."""

    def __init__(self, path: Path, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        with path.open("r+b") as file:
            memory = memoryview(mmap.mmap(file.fileno(), 0))
        self._key = bytes(memory[:KEY_BYTES])
        self._due = memory[KEY_BYTES:].cast("d")
        self._interval = 1 / rate.per_second
        self._tolerance = rate.burst / rate.per_second
        self._clock = clock

    def allows(self, client: str) -> bool:
        """Return whether the client may send another request now, and count it if so.

        Two processes may count one request less when they decide at the same instant: a lock would
        cost more than this error.
        """
        digest = hashlib.blake2b(client.encode(errors="replace"), key=self._key, digest_size=2)
        position = int.from_bytes(digest.digest())
        now = self._clock()
        due = max(self._due[position], now) + self._interval
        if due - now > self._tolerance:
            return False
        self._due[position] = due
        return True
