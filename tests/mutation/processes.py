"""Run work in a child process, which can crash or hang."""

import multiprocessing
import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

import psutil

CRASH, TIMEOUT = "(crash)", "(timeout)"


def run(work: Callable[[], str], seconds: float | None = None) -> str:
    """Fork, and return what the work returns, or CRASH, or TIMEOUT after the time.

    The child's standard output is discarded.
    """
    forking = multiprocessing.get_context("fork")
    reading, writing = forking.Pipe(duplex=False)
    process = forking.Process(target=_work, args=(work, writing))
    process.start()
    writing.close()
    try:
        return str(reading.recv()) if reading.poll(seconds) else TIMEOUT
    except EOFError:
        return CRASH
    finally:  # also after Ctrl-C
        reading.close()
        end(psutil.Process(process.pid))
        process.join()


def _work(work: Callable[[], str], pipe: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    pipe.send(work())


def end(process: psutil.Process) -> None:
    """Kill a process and its children, which it can't continue to start meanwhile."""
    with suppress(psutil.NoSuchProcess):
        process.suspend()
        for each in [*process.children(recursive=True), process]:
            each.kill()
