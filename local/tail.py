"""Read a log while a program writes it."""

import json
import os
from pathlib import Path
from typing import Any

MAX_UNREAD = 8 << 20  # bytes per read; earlier ones are skipped
MARK = 256  # bytes that identify the file, to detect a new one


class Tail:
    """The end of a log, which starts again with its program. Not thread-safe."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._end = 0
        self._mark = b""

    def read(self) -> list[bytes]:
        """Return the complete lines that were added since the last call."""
        try:
            with self._log.open("rb") as log:
                log.seek(self._end - len(self._mark))
                if log.read(len(self._mark)) != self._mark:
                    self._continue_from(0)
                if (passed := log.seek(0, os.SEEK_END) - MAX_UNREAD) > self._end:
                    self._continue_from(passed)
                log.seek(self._end)
                news = log.read(MAX_UNREAD)
        except FileNotFoundError:
            return []
        complete = news[: news.rfind(b"\n") + 1]
        self._end += len(complete)
        self._mark = (self._mark + complete)[-MARK:]
        return complete.splitlines()

    def _continue_from(self, position: int) -> None:
        self._end, self._mark = position, b""


def parsed(line: bytes) -> dict[str, Any]:
    """Return the object in a line of a log; an empty one if the line is something else."""
    if not line.startswith(b"{"):
        return {}
    try:
        document: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return document
