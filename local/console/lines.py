"""The log lines of the last traces, out of the API's log."""

import json
import os
import threading
from pathlib import Path
from typing import Any

from local.console.shelf import FullError, Shelf

MAX_UNREAD = 8 << 20  # bytes that are read at once; what is before them is passed over
MARK = 256  # bytes, by which it is seen whether the file is still the one that was read


class Lines:
    """The lines of a log that is JSON here and there, and is begun anew when the API restarts."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._shelf = Shelf()
        self._end = 0
        self._mark = b""

    def of(self, trace_id: str) -> list[dict[str, Any]]:
        """Return the lines of a trace, after those that are new have been read."""
        with self._lock:
            self._read()
            return [json.loads(text) for text in self._shelf.get(trace_id)]

    def read(self) -> None:
        """Read what is new, before the API's restart takes it away."""
        with self._lock:
            self._read()

    def _read(self) -> None:
        for line in self._news().splitlines():
            if trace_id := _trace_id(line):
                try:
                    self._shelf.add(trace_id, line.decode())
                except FullError:
                    continue

    def _news(self) -> bytes:
        """Return the whole lines that have come since the last time."""
        try:
            with self._log.open("rb") as log:
                log.seek(self._end - len(self._mark))
                if log.read(len(self._mark)) != self._mark:
                    self._go_on_from(0)
                if (passed := log.seek(0, os.SEEK_END) - MAX_UNREAD) > self._end:
                    self._go_on_from(passed)
                log.seek(self._end)
                news = log.read(MAX_UNREAD)
        except FileNotFoundError:
            return b""
        whole = news[: news.rfind(b"\n") + 1]
        self._end += len(whole)
        self._mark = (self._mark + whole)[-MARK:]
        return whole

    def _go_on_from(self, position: int) -> None:
        self._end, self._mark = position, b""


def _trace_id(line: bytes) -> str | None:
    if not line.startswith(b"{"):
        return None
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    trace_id = document.get("trace_id")
    return trace_id if isinstance(trace_id, str) else None
