"""Texts of the last traces, as many as memory is given for."""

from collections import OrderedDict

KEPT = 2_000  # traces
MAX_SIZE = 64 << 20  # characters, of all traces
MAX_TRACE_SIZE = 256 << 10  # characters, of one


class FullError(ValueError):
    """A trace has all that is kept of one."""


class Shelf:
    """What is kept of each trace; the first to come is the first to make room. Not thread-safe."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, list[str]] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._size = 0

    def add(self, trace_id: str, text: str) -> list[str]:
        """Keep a text; return the ids of the traces that made room. Raises FullError."""
        size = self._sizes.get(trace_id, 0) + len(text)
        if size > MAX_TRACE_SIZE:
            raise FullError(trace_id)
        self._texts.setdefault(trace_id, []).append(text)
        self._sizes[trace_id] = size
        self._size += len(text)
        return self._make_room()

    def get(self, trace_id: str) -> list[str]:
        """Return the texts of a trace, the first to come first."""
        return list(self._texts.get(trace_id, ()))

    def _make_room(self) -> list[str]:
        gone = []
        while len(self._texts) > KEPT or self._size > MAX_SIZE:
            trace_id, _ = self._texts.popitem(last=False)
            self._size -= self._sizes.pop(trace_id)
            gone.append(trace_id)
        return gone
