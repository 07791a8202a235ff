"""Count the instructions that the functions need for cases, with valgrind.

`count` starts this module in a process under valgrind's callgrind, as the function of a stage, with
the benchmarks' stub of the Data API. The process runs each case once before it is counted. Calls of
`getppid`, which nothing else calls, separate the cases in callgrind's output.
"""

import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from app import SCOPES
from benchmarks import stub
from benchmarks.meter import LAMBDA
from load.fuzz.cases import TOKEN, Case
from local.processes import PROJECT

VALGRIND = ("valgrind", "--tool=callgrind", "--dump-before=getppid")
CONTEXT = SimpleNamespace(aws_request_id="of-lambda", get_remaining_time_in_millis=lambda: 10**9)


def count(cases: Sequence[Case]) -> list[int]:
    """Return the instructions of each case. Raises CalledProcessError."""
    from tests import tokens  # starts a server

    token = tokens.token(*SCOPES)  # also sets the environment variables of the issuer
    with stub.running() as address, TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "cases.json").write_text(json.dumps(cases).replace(TOKEN, token))
        issuer = {name: os.environ[name] for name in ("TOKEN_ISSUER", "TOKEN_AUDIENCE")}
        own = {"AWS_ENDPOINT_URL_RDS_DATA": address, "PATH": os.environ["PATH"]}
        command = [*VALGRIND, f"--callgrind-out-file={folder / 'out'}", sys.executable, "-m"]
        subprocess.run(
            [*command, __name__, str(folder / "cases.json")],
            cwd=PROJECT,
            env={**LAMBDA, **issuer, **own},
            check=True,
            capture_output=True,
        )
        # the first part ends before the first case, and there is a part between two cases
        return [_total(folder / f"out.{2 * n + 2}") for n in range(len(cases))]


def _total(part: Path) -> int:
    (total,) = re.findall(r"^totals: (\d+)$", part.read_text(), re.MULTILINE)
    return int(total)


def main() -> None:
    import app

    cases: list[tuple[str, Any]] = json.loads(Path(sys.argv[1]).read_text())
    for function, event in cases:
        _run(getattr(app, function), event)
    gc.freeze()
    for function, event in cases:
        gc.collect()
        os.getppid()
        _run(getattr(app, function), event)
        os.getppid()


def _run(function: Any, event: dict[str, Any]) -> None:
    function(event, CONTEXT)


if __name__ == "__main__":
    main()
