"""The first requests of README.md work as they are written, in each language."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.issuer import Issuer
from local.processes import PROJECT
from tests.local.run import Run

README = (PROJECT / "README.md").read_text(encoding="utf-8")
FIRST_REQUEST = README.partition("## First request")[2].partition("\n## ")[0]


def _block(language: str) -> str:
    """Return the last code block of a language in the section."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", FIRST_REQUEST, re.DOTALL)
    return blocks[-1]


@pytest.mark.parametrize(
    ("language", "command"),
    [
        ("sh", ["bash", "-c"]),
        ("python", [sys.executable, "-c"]),
        ("js", ["node", "--input-type=module", "--eval"]),
    ],
)
def test_first_request_creates_a_customer(stack: Run, language: str, command: list[str]) -> None:
    code = _block(language).replace(":8000", f":{stack.ports['PORT']}")
    token = Issuer(Path(stack.own["LOCAL_STATE"]), stack.console_url).token()
    done = subprocess.run(
        [*command, code],
        env={**os.environ, "TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\b201\b", done.stdout)
