"""Runs `python -m local` for one test."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from local.processes import PROJECT, free_port
from tests.local.support import eventually, processes


class Run:
    """A process `python -m local` with private ports and its own state directory."""

    def __init__(
        self,
        state: Path,
        *arguments: str,
        project: Path = PROJECT,
        stdin: int = subprocess.DEVNULL,
        wrap: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        names = ("PORT", "DATA_API_PORT", "DATABASE_PORT", "CONSOLE_PORT", "XRAY_PORT")
        self.ports = {name: free_port() for name in names}
        self.own = {
            **{name: str(port) for name, port in self.ports.items()},
            "LOCAL_STATE": str(state),
            **(environment or {}),
        }
        self.environment = {**os.environ, **self.own}
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (finish closes it)
        self._read = 0
        self.process = subprocess.Popen(
            [*wrap, sys.executable, "-m", "local", *arguments],
            cwd=project,
            env=self.environment,
            stdin=stdin,
            stdout=self._output,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def console_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['CONSOLE_PORT']}"

    def read_until(self, end: str) -> str:
        """Wait for `end` in new output; return the new output."""
        eventually(lambda: end in self._new_output() or self.process.poll() is not None)
        output = self._new_output()
        assert end in output, self.finish()
        self._read += len(output)
        return output

    def _new_output(self) -> str:
        # Without moving the position, which the program shares.
        return os.pread(self._output.fileno(), 1 << 20, self._read).decode()

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and the standard error."""
        _, errors = self.process.communicate(timeout=60)
        self._output.close()
        return self.process.returncode, errors

    def family(self) -> list[int]:
        """Return the process ids of all descendants, except the reaper."""
        family = [self.process.pid]
        for ancestor in family:
            family += [
                pid
                for pid, parent, command in processes()
                if parent == ancestor and "reaper.py" not in command
            ]
        return family[1:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.finish()


def copy_of_project(directory: Path) -> Path:
    """Copy what a stack runs, so that a test can change it."""
    parts = ["app.py", ".chalice", "chalicelib", "infrastructure", "local", "migrations", "serve"]
    copy = directory / "project"
    copy.mkdir()
    subprocess.run(["cp", "-R", *parts, str(copy)], cwd=PROJECT, check=True)
    return copy
