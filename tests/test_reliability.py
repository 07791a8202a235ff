"""The timeouts in docs/reliability.md match the code."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from chalicelib.database import retries
from infrastructure import gateway, stages

RUNNING = [Path("app.py"), *sorted(Path("chalicelib").rglob("*.py"))]
COMMANDS = [
    *sorted(Path("migrations").rglob("*.py")),
    *sorted(Path("infrastructure").rglob("*.py")),
]
PAGE = Path("docs/reliability.md").read_text(encoding="utf-8")


def limits(path: Path) -> Iterator[tuple[str, float]]:
    """Yield the constants of seconds and attempts that a module defines."""
    module = path.parent.name if path.stem == "__init__" else path.stem
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=ast.Constant(value)):
                if name.endswith(("_SECONDS", "ATTEMPTS")) and isinstance(value, int | float):
                    yield f"{module}.{name}", value


def documented() -> dict[str, float]:
    rows = re.findall(r"^\| (`.*?`) \| ([\d., ]+) \|", PAGE, re.MULTILINE)
    found: dict[str, float] = {}
    for names, values in rows:
        numbers = [float(value) for value in values.split(",")]
        all_names = re.findall("`(.*?)`", names)
        if len(numbers) == 1:
            numbers *= len(all_names)
        found |= dict(zip(all_names, numbers, strict=True))
    return found


def test_every_limit_on_waiting_is_documented() -> None:
    set_in_code = dict(limit for path in [*RUNNING, *COMMANDS] for limit in limits(path))

    assert set_in_code | {"lambda_timeout": 28} == documented()


def test_each_limit_is_below_the_next() -> None:
    of = documented()
    waits = retries.MAX_ATTEMPTS * of["retries.LOCK_SECONDS"]
    attempt = of["retries.ATTEMPT_SECONDS"]

    assert waits < attempt < of["retries.STATEMENT_SECONDS"]
    assert of["retries.STATEMENT_SECONDS"] + of["retries.ANSWER_SECONDS"] <= of["lambda_timeout"]
    assert of["lambda_timeout"] * 1000 < gateway.TIMEOUT_MS
    assert json.loads(stages.CONFIG.read_text())["lambda_timeout"] == of["lambda_timeout"]


def test_no_other_module_waits() -> None:
    """A pause or limit outside of these constants would be undocumented."""
    assert Path("chalicelib/database/retries.py") in RUNNING
    for path in RUNNING:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"sleep\(", text) == ["sleep("] * (path.stem == "retries"), path
        assert not re.search(r"timeout\w*\s*[=(:]\s*[\d.]+", text), path
