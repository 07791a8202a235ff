"""The API's log lines of recent traces."""

import json
import threading
from pathlib import Path
from typing import Any

from local.console.shelf import FullError, Shelf
from local.processes import API_LISTENS, answers
from local.tail import Tail, parsed

MAX_FAILURE = 20_000  # bytes; a log that is longer is that of an API that ran


class Lines:
    """The JSON lines of a log that may contain other lines, and restarts with the API."""

    def __init__(self, log: Path) -> None:
        self._tail = Tail(log)
        self._lock = threading.Lock()
        self._shelf = Shelf()

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
        for line in self._tail.read():
            trace_id = parsed(line).get("trace_id")
            if isinstance(trace_id, str):
                try:
                    self._shelf.add(trace_id, line.decode())
                except FullError:
                    continue


def api_failure(port: int, log: Path) -> str | None:
    """Return why the API could not start, such as a syntax error; None if it runs, or starts.

    The log begins again with each start.
    """
    if answers(port):
        return None
    try:
        is_short = log.stat().st_size <= MAX_FAILURE
        text = log.read_text(errors="replace").strip() if is_short else ""
    except FileNotFoundError:
        return None
    return None if API_LISTENS in text else text or None
