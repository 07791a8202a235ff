"""The current step is shown on a terminal only, and leaves no line behind."""

import os
import pty
import subprocess
import sys

from local.processes import PROJECT

PROGRAM = "from local.progress import doing\nwith doing('baking'): pass\nprint('bread')"


def test_terminal_shows_progress() -> None:
    reader, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, stdout=terminal, check=True)
    os.close(terminal)
    said = os.read(reader, 4096).decode()
    os.close(reader)

    lines = [line.rpartition("\r")[2] for line in said.split("\r\n")]
    assert "baking" in said
    assert lines == ["bread", ""]


def test_file_contains_no_progress() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, check=True
    )

    assert done.stdout == b"bread\n"
