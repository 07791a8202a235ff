"""Storage for the texts of recent traces, with limits on memory."""

from collections import OrderedDict

KEPT = 2_000  # traces
MAX_SIZE = 64 << 20  # characters, of all traces
MAX_TRACE_SIZE = 256 << 10  # characters, of one trace


class FullError(ValueError):
    """The trace has reached its size limit."""


class Shelf:
    """Texts by trace. If space is needed, the oldest traces are dropped. Not thread-safe."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, list[str]] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._size = 0

    def add(self, trace_id: str, text: str) -> list[str]:
        """Store a text. Returns the ids of dropped traces. Raises FullError."""
        size = self._sizes.get(trace_id, 0) + len(text)
        if size > MAX_TRACE_SIZE:
            raise FullError(trace_id)
        self._texts.setdefault(trace_id, []).append(text)
        self._sizes[trace_id] = size
        self._size += len(text)
        return self._make_room()

    def get(self, trace_id: str) -> list[str]:
        """Return the texts of a trace, oldest first."""
        return list(self._texts.get(trace_id, ()))

    def _make_room(self) -> list[str]:
        dropped = []
        while len(self._texts) > KEPT or self._size > MAX_SIZE:
            trace_id, _ = self._texts.popitem(last=False)
            self._size -= self._sizes.pop(trace_id)
            dropped.append(trace_id)
        return dropped
