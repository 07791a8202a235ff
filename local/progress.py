"""Progress of the local stack: a few lines that stay, and on a terminal the current step."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 60


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show on a terminal what is being done, on a line that is empty again afterwards."""
    is_terminal = sys.stdout.isatty()
    if is_terminal:
        print(f"\r  {what:<{WIDTH}}", end="\r", flush=True)
    try:
        yield
    finally:
        if is_terminal:
            print(" " * (WIDTH + 2), end="\r", flush=True)


@contextmanager
def step(name: str, note: str = "") -> Iterator[None]:
    """Print how long a part took to start."""
    start = time.monotonic()
    with doing(f"starting: {name}"):
        yield
    print(f"  {name:<10} ready in {time.monotonic() - start:.1f} s{note}", flush=True)
