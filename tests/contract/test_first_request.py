"""The first requests in README.md and in the tutorial work as they are written."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from local.issuer import Issuer
from local.processes import PROJECT
from tests.local.run import Run

README = (PROJECT / "README.md").read_text(encoding="utf-8")
TUTORIAL = (PROJECT / "docs/tutorial/first-request.md").read_text(encoding="utf-8")
COMPARED = re.compile(r"HTTP/.*|etag: .*|idempotency-replayed: .*|content-type: .*|.*:\"ok\".*")
"""The lines of a response that are the same in each run."""


@pytest.fixture(scope="module")
def environment(stack: Run) -> dict[str, str]:
    """Return the environment with what `export TOKEN=$(make -s token)` adds."""
    token = Issuer(Path(stack.own["LOCAL_STATE"]), stack.console_url).token()
    return {**os.environ, "TOKEN": token}


def _blocks(text: str, *languages: str) -> list[str]:
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, re.DOTALL)


def _run(command: Sequence[str], code: str, stack: Run, environment: Mapping[str, str]) -> str:
    """Run code that is written for the default port; return its standard output."""
    here = code.replace(":8000", f":{stack.ports['PORT']}").replace("curl", "curl -sS")
    done = subprocess.run(
        [*command, here], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("language", "command"),
    [
        ("sh", ["bash", "-c"]),
        ("python", [sys.executable, "-c"]),
        ("js", ["node", "--input-type=module", "--eval"]),
    ],
)
def test_readme_creates_a_customer(
    stack: Run, environment: dict[str, str], language: str, command: list[str]
) -> None:
    section = README.partition("## First request")[2].partition("\n## ")[0]
    code = _blocks(section, language)[-1]
    assert re.search(r"\b201\b", _run(command, code, stack, environment))


def test_tutorial_shows_the_responses_of_the_api(stack: Run, environment: dict[str, str]) -> None:
    (customer_id,) = set(re.findall(r"location: /customers/(\S+)", TUTORIAL))
    request = ""
    for step in re.split(r"\n## ", TUTORIAL):
        commands = [block for block in _blocks(step, "sh") if block.startswith("curl")]
        request = commands[0] if commands else request  # or the same request again
        for shown in _blocks(step, "http", "json")[:1]:
            response = _run(["bash", "-c"], request, stack, environment)
            if created := re.search(r"location: /customers/(\S+)", response):
                environment["ID"] = created[1]
            response = response.replace(environment.get("ID", "-"), customer_id)
            _compare(shown, response)


def _compare(shown: str, response: str) -> None:
    """Assert that each stable line, and the beginning of the body, is in the response."""
    lines = shown.strip().splitlines()
    for line in filter(COMPARED.fullmatch, lines):
        assert line in response.splitlines()
    assert lines[-1].partition(",...")[0] in response or not lines[-1].startswith("{")
