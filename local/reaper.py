"""Ends what a supervisor left behind, however the supervisor ended.

`local.processes` starts this program with the read end of a pipe as standard input, and with
the signals a terminal sends blocked. A line `+123` says that process group 123 has started,
`-123` that it has ended. End of file says that the supervisor is gone, even by SIGKILL: then
every group still listed gets SIGTERM, time to finish, and SIGKILL.

A pipe works alike on Linux and macOS, where asking the kernel for a signal on a parent's death
(prctl) does not exist.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

PATIENCE = 10.0
"""Seconds from SIGTERM to SIGKILL; mariadbd writes its data out in that time."""


def groups_left(reports: Iterable[str]) -> list[int]:
    """Read `+group` and `-group` lines to their end; return the groups that did not end."""
    groups: set[int] = set()
    for report in reports:
        change = groups.add if report.startswith("+") else groups.discard
        change(int(report[1:]))
    return sorted(groups)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether the group was there to get it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def end(groups: Iterable[int]) -> None:
    """End process groups: politely, then after PATIENCE seconds by force."""
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
