"""The current step is shown on a terminal only, and leaves no line behind."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

from local.processes import PROJECT

PROGRAM = "from local.progress import doing\nwith doing('baking'): pass\nprint('bread')"
BAR = """
import sys
from local.progress import bar
with bar('bread', 'baking') as show:
    show(50)
print('done', file=sys.stderr)
"""


def read(reader: int) -> str:
    """Return everything that was written to a closed terminal, which may arrive in parts."""
    said = b""
    with open(reader, "rb", buffering=0) as file, suppress(OSError):  # at the end, on Linux
        while part := file.read(4096):
            said += part
    return said.decode()


def test_terminal_shows_progress() -> None:
    reader, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, stdout=terminal, check=True)
    os.close(terminal)
    said = read(reader)

    lines = [line.rpartition("\r")[2] for line in said.split("\r\n")]
    assert "baking" in said
    assert lines == ["bread", ""]


def test_file_contains_no_progress() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, check=True
    )

    assert done.stdout == b"bread\n"


def test_terminal_shows_a_progress_bar() -> None:
    reader, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", BAR], cwd=PROJECT, stderr=terminal, check=True)
    os.close(terminal)
    said = read(reader)

    *shown, rest = said.split("\r\x1b[K")
    assert shown == [
        f"\r  bread      baking [{' ' * 30}]   0%\r  bread      baking [{'#' * 15}{' ' * 15}]  50%"
    ]
    assert rest.splitlines() == ["done"]


def test_file_gets_one_line_instead_of_a_progress_bar() -> None:
    done = subprocess.run([sys.executable, "-c", BAR], cwd=PROJECT, capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"  bread      baking\ndone\n")
