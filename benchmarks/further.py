"""The process that measures further requests.

Usage: `python -m benchmarks.further first module handler kind=requests ...`. The first three
arguments are those of `benchmarks.measured`.

Handles one request of each kind. Then two children for each kind handle more of them: as many as
stated, which bring a process to its steady state, and twice as many. The difference is the cost of
further requests. Children share what their parent has imported, so a program is imported once.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from benchmarks.events import TRACE
from benchmarks.measured import handle, make_event, print_statistics


def main() -> None:
    """Handle the requests, first in this process and then in its children."""
    first, module, name, *arguments = sys.argv[1:]
    os.environ["_X_AMZN_TRACE_ID"] = TRACE
    importlib.import_module(first)
    handler = getattr(importlib.import_module(module), name)
    numbers = {kind: int(number) for kind, _, number in (text.partition("=") for text in arguments)}
    for kind in numbers:
        prepared(handler, kind, 1)()
    for kind, number in numbers.items():
        send = prepared(handler, kind, number)
        in_child(send, print_statistics)
        in_child(send, send, print_statistics)


def prepared(handler: Any, kind: str, number: int) -> Callable[[], None]:
    """Return a function that handles requests, which are built now."""
    events = [make_event(kind, n) for n in range(number)]

    def send() -> None:
        for event in events:
            handle(handler, event, kind)

    return send


def in_child(*functions: Callable[[], None]) -> None:
    """Call the functions in a child, and wait for it. Exit if it fails."""
    child = os.fork()
    if not child:
        try:
            for function in functions:
                function()
        except BaseException:  # noqa: BLE001 (the child must not continue as its parent)
            traceback.print_exc()
            os._exit(1)
        sys.stderr.flush()
        os._exit(0)  # the child costs only its requests, not the end of the interpreter
    if os.waitpid(child, 0)[1]:
        sys.exit("a child failed")


if __name__ == "__main__":
    main()
