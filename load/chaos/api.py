"""The API of a chaos run: `python -m local.gateway`, with a clock that the run can move.

The clock is Python's wall-clock time in this process. The environment variable CHAOS_CLOCK names
the file with its difference in seconds from the right time. CHAOS_FAULTS names the faults of
`broken` that the API has.
"""

import os
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

from chalicelib.http import values
from load.chaos import broken
from local import gateway

CLOCK = "CHAOS_CLOCK"


def move_clock(difference: Path) -> None:
    """Replace the clock by one that differs from it by the seconds in a file, if it exists."""
    right = time.time_ns

    def moved_ns() -> int:
        try:
            return right() + int(float(difference.read_text()) * 1e9)
        except (OSError, ValueError):  # not written yet
            return right()

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time(), tz)

    time.time_ns = moved_ns
    time.time = lambda: moved_ns() / 1e9
    values.datetime = Moved  # type: ignore[attr-defined]


if __name__ == "__main__":
    move_clock(Path(os.environ[CLOCK]))
    broken.plant(os.environ)
    gateway.main()
