"""Run work in a child process, which can crash or hang."""

import os
import select
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress

import psutil

CRASH, TIMEOUT = "(crash)", "(timeout)"


def run(work: Callable[[], str], seconds: float | None = None) -> str:
    """Fork, and return what the work returns, or CRASH, or TIMEOUT after the time.

    The child's standard output is discarded.
    """
    reading, writing = os.pipe()
    process_id = os.fork()
    if not process_id:
        _work(work, writing)
    os.close(writing)
    answer = ""
    try:
        is_ready = select.select([reading], [], [], seconds)[0]
        answer = os.read(reading, 65_536).decode() if is_ready else f"={TIMEOUT}"
    finally:  # also after Ctrl-C
        os.close(reading)
        if answer in {"", f"={TIMEOUT}"}:
            end(process_id)
        os.waitpid(process_id, 0)
    return answer[1:] if answer else CRASH


def _work(work: Callable[[], str], pipe: int) -> None:
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.write(pipe, f"={work()}".encode()[:65_536])
    except BaseException:  # noqa: BLE001 (the parent gets no answer)
        traceback.print_exc()
    finally:
        os._exit(0)


def end(process_id: int) -> None:
    """Kill a process and its children, which it can't continue to start meanwhile."""
    os.kill(process_id, signal.SIGSTOP)
    for process in psutil.Process(process_id).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    os.kill(process_id, signal.SIGKILL)
