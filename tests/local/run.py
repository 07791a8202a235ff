"""A `python -m local` of a test's own."""

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
    """A `python -m local`, with ports and a state directory of its own."""

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
        """Wait for `end` in what is newly said; return that."""
        eventually(lambda: end in self._news() or self.process.poll() is not None, seconds=60)
        news = self._news()
        assert end in news, self.finish()
        self._read += len(news)
        return news

    def _news(self) -> str:
        # Without moving the position, which the program shares.
        return os.pread(self._output.fileno(), 1 << 20, self._read).decode()

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was said on standard error."""
        _, errors = self.process.communicate(timeout=30)
        self._output.close()
        return self.process.returncode, errors

    def family(self) -> list[int]:
        """Return the process ids of all that this run started, but itself and the reaper."""
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
