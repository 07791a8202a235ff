"""Command line arguments that the load test and the soak test share."""

import argparse
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


class Parser(argparse.ArgumentParser):
    """A parser with the options that both tests have; their results are written to `output`."""

    def __init__(self, prog: str, description: str | None, epilog: str, output: Path) -> None:
        super().__init__(prog=prog, description=description, epilog=epilog)
        self.option("--rate", positive, 20, "requests per second")
        self.option("--customers", count, 200, "created before the run")
        self.option("--seed", int, 1, "random seed")
        self.option("--output", Path, output, "output folder")

    def option(self, name: str, kind: Callable[[str], Any], default: object, text: str) -> None:
        self.add_argument(name, type=kind, default=default, help=f"{text} (%(default)s)")


def positive(text: str) -> float:
    """Parse a number above 0."""
    if (number := not_negative(text)) == 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def not_negative(text: str) -> float:
    """Parse a number from 0 to below a million."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    if not 0 <= number < 1_000_000:
        raise argparse.ArgumentTypeError("must be 0 or more, and below a million")
    return number


def count(text: str) -> int:
    """Parse a number of customers."""
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 10000")
    return int(text)


def handle_signals() -> None:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that all child processes are stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
