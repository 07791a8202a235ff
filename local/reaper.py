"""Ends the processes that a supervisor left behind, even if the supervisor was killed.

`local.processes` starts this program with the read end of a pipe as standard input, and with the
terminal's signals blocked. The line `+123` reports that process group 123 has started, `-123` that
it has ended. End of file means that the supervisor has ended, maybe by SIGKILL. Then every listed
group receives SIGTERM and, after a grace period, SIGKILL.

A pipe works the same on Linux and macOS; macOS lacks a signal on the parent's death (prctl).
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

PATIENCE = 10.0
"""Grace period between SIGTERM and SIGKILL in seconds, in which the database flushes its data."""


def groups_left(reports: Iterable[str]) -> list[int]:
    """Read `+group` and `-group` lines until end of file. Return the groups that did not end."""
    groups: set[int] = set()
    for report in reports:
        change = groups.add if report.startswith("+") else groups.discard
        change(int(report[1:]))
    return sorted(groups)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group. Returns whether the group exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def end(groups: Iterable[int]) -> None:
    """End process groups with SIGTERM, and after PATIENCE seconds with SIGKILL."""
    alive = [group for group in groups if signal_group(group, signal.SIGTERM)]
    deadline = time.monotonic() + PATIENCE
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [group for group in alive if signal_group(group, 0)]
    for group in alive:
        signal_group(group, signal.SIGKILL)


if __name__ == "__main__":
    os.setsid()
    end(groups_left(sys.stdin))
