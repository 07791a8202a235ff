"""Work in a child process returns its text, crashes or times out."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection

import psutil
import pytest

from tests.mutation import processes

# Other tests of this process may have started threads; the children use none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "input()"])
print("ready", flush=True)
input()
"""


def test_text_is_returned() -> None:
    assert processes.run(lambda: "done") == "done"
    assert processes.run(str) == ""


def test_crash_is_reported() -> None:
    assert processes.run(lambda: os._exit(1)) == processes.CRASH


def test_timeout_is_reported() -> None:
    ours, theirs = os.pipe()

    assert processes.run(lambda: str(os.read(ours, 1)), seconds=0) == processes.TIMEOUT

    os.close(ours)
    os.close(theirs)


def test_child_is_ended_if_the_parent_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "poll", interrupt)
    ours, theirs = os.pipe()
    before = multiprocessing.active_children()

    with pytest.raises(KeyboardInterrupt):
        processes.run(lambda: str(os.read(ours, 1)))

    assert multiprocessing.active_children() == before
    os.close(ours)
    os.close(theirs)


def test_process_is_ended_with_its_children() -> None:
    command = [sys.executable, "-c", PARENT]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"

        processes.end(psutil.Process(process.pid))

        assert process.stdout.read() == ""  # returns when no process has the other end
