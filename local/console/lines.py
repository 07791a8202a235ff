"""The API's log lines of recent traces."""

import json
import os
import threading
from pathlib import Path
from typing import Any

from local.console.shelf import FullError, Shelf

MAX_UNREAD = 8 << 20  # bytes per read; earlier ones are skipped
MARK = 256  # bytes that identify the file, to detect a new one


class Lines:
    """The JSON lines of a log that may contain other lines, and restarts with the API."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._shelf = Shelf()
        self._end = 0
        self._mark = b""

    def of(self, trace_id: str) -> list[dict[str, Any]]:
        """Read new lines, then return the lines of a trace."""
        with self._lock:
            self._read()
            return [json.loads(text) for text in self._shelf.get(trace_id)]

    def read(self) -> None:
        """Read new lines, before a restart of the API deletes them."""
        with self._lock:
            self._read()

    def _read(self) -> None:
        for line in self._read_new().splitlines():
            if trace_id := _trace_id(line):
                try:
                    self._shelf.add(trace_id, line.decode())
                except FullError:
                    continue

    def _read_new(self) -> bytes:
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
            return b""
        complete = news[: news.rfind(b"\n") + 1]
        self._end += len(complete)
        self._mark = (self._mark + complete)[-MARK:]
        return complete

    def _continue_from(self, position: int) -> None:
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
