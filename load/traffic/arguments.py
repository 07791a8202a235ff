"""What the command lines of load and soak have in common."""

import argparse
import signal
from types import FrameType


def positive(text: str) -> float:
    """Read a number above 0."""
    if (number := not_negative(text)) == 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def not_negative(text: str) -> float:
    """Read a number from 0 to below a million."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, and is {text!r}") from None
    if not 0 <= number < 1_000_000:
        raise argparse.ArgumentTypeError("must be 0 or more, and below a million")
    return number


def count(text: str) -> int:
    """Read how many customers are to be made."""
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 10000")
    return int(text)


def signals_end() -> None:
    """Have SIGTERM and SIGHUP end the program as Ctrl-C does, with all that it has started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
