"""Format figures for the tables of docs/scaling.md."""

from typing import Any

SHOWN = 0.0005
"""Shares below this are shown as zero."""


def percent(share: float) -> str:
    return "0" if share < SHOWN / 10 else f"{share:.2%}" if share < 0.01 else f"{share:.0%}"


def ms(value: Any) -> str:
    return of_ms(value[0])


def within(value: Any) -> str:
    mean, half = value
    return f"{of_ms(mean)} ± {of_ms(half)}"


def of_ms(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def share(value: float) -> str:
    return f"{value:.0%}"


def plain(value: float) -> str:
    return f"{value:.0f}"


def spread(errors: list[float]) -> str:
    return f"{min(errors):+.0%} to {max(errors):+.0%}"
