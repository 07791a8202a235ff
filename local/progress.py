"""Progress of the local stack: a few lines that stay, and on a terminal the current step."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WIDTH = 60
BAR_WIDTH = 30

Show = Callable[[float], None]
"""Shows the percentage that is done."""


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


@contextmanager
def bar(name: str, what: str) -> Iterator[Show]:
    """Show a progress bar on a terminal; elsewhere, print one line. Both on standard error."""
    line = f"  {name:<10} {what}"
    is_terminal = sys.stderr.isatty()

    def show(percent: float) -> None:
        if is_terminal:
            done = round(BAR_WIDTH * percent / 100)
            drawn = f"[{'#' * done:<{BAR_WIDTH}}] {percent:3.0f}%"
            print(f"\r{line} {drawn}", end="", file=sys.stderr, flush=True)

    if not is_terminal:
        print(line, file=sys.stderr, flush=True)
    show(0)
    try:
        yield show
    finally:
        if is_terminal:  # erase the line: https://en.wikipedia.org/wiki/ANSI_escape_code
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
