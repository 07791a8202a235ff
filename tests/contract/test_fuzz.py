"""Short runs of the fuzzer: no fault in the service; a planted fault and each kind are found."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from chalicelib.http.headers import STANDARD
from load.fuzz.cases import MARKER, Case, authorization, request, seeds
from load.fuzz.invariants import find_violations
from load.fuzz.possible import is_possible
from load.fuzz.shrinking import shrink
from load.fuzz.world import Outcome
from local.processes import PROJECT

PYTHON = PROJECT / ".venv" / "fuzz" / "bin" / "python"
RUNS = 2_000
PLANTED_IN = Path("chalicelib/http/fields.py")
SANE = "        if not text:\n"
# No seed contains this character.
FAULT = '        if "\\U0001f642" in text:\n            raise KeyError(text)\n'


def fuzz(project: Path, folder: Path, runs: int = RUNS) -> subprocess.CompletedProcess[str]:
    options = ["--python", str(PYTHON), "--runs", str(runs), "--seed", "1", "--folder", str(folder)]
    return subprocess.run(
        [str(PROJECT / ".venv" / "bin" / "python"), "-m", "load.fuzz", *options],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_hostile_events_violate_no_invariant(tmp_path: Path) -> None:
    done = fuzz(PROJECT, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "stats.json").read_text())
    assert told["executions"] >= RUNS
    # Otherwise the events are too invalid to reach our code.
    assert {"200", "201", "204", "400", "401", "404", "409", "412", "415"} <= told["seen"].keys()


def test_planted_fault_is_found_and_can_be_replayed(tmp_path: Path) -> None:
    copy, folder = tmp_path / "copy", tmp_path / "folder"
    own = "chalicelib infrastructure load local migrations openapi serve tests"
    for name in own.split():
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(PROJECT / "docs", copy / "docs")
    shutil.copy(PROJECT / "app.py", copy)
    sane = (copy / PLANTED_IN).read_text()
    assert sane.count(SANE) == 1
    (copy / PLANTED_IN).write_text(sane.replace(SANE, FAULT + SANE))

    done = fuzz(copy, folder)

    assert done.returncode == 1
    assert "returns 500: KeyError at http/fields.py" in done.stdout
    (found, *_) = (folder / "found").glob("*.json")
    assert f'{found.name}"' in done.stdout
    again = subprocess.run(
        [str(PROJECT / ".venv" / "bin" / "python"), "-m", "load.fuzz", "--replay", str(found)],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert "returns 500: KeyError at http/fields.py" in again.stdout


def test_every_seed_is_possible() -> None:
    assert [case for case in seeds() if not is_possible(case)] == []


LINE = '{"message":"request"}\n'
PROBLEM = {
    "type": "/problems#validation-error",
    "title": "Validation failed",
    "status": 400,
    "detail": "`errors` lists what to change.",
    "instance": f"/dev/customers/{MARKER}",
    "request_id": "x",
}
HTTP = {**STANDARD, "Content-Type": "application/problem+json"}
LIST = request("GET", "/customers")
NOBODY = Case("app", {**LIST.event, "requestContext": {**LIST.event["requestContext"]}})
NOBODY.event["requestContext"].pop("authorizer")
WRONG = Case("authorize", authorization("Bearer a.b.c"))


def outcome(
    status: int = 400, problem: object = None, logged: str = LINE, **headers: str | None
) -> Outcome:
    """Return a correct response, except for the given differences."""
    body = problem if isinstance(problem, str) else json.dumps({**PROBLEM, **(problem or {})})  # type: ignore[dict-item]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in {**HTTP, **named}.items() if value is not None}
    return Outcome({"statusCode": status, "headers": sent, "body": body}, None, logged)


def policy(effect: str, **context: str) -> Outcome:
    statement = {"Effect": effect}
    return Outcome({"policyDocument": {"Statement": [statement]}, "context": context}, None, "")


def test_correct_response_violates_nothing() -> None:
    assert [*find_violations(LIST, outcome())] == []
    assert [*find_violations(WRONG, policy("Deny", reason="The token is malformed."))] == []


@pytest.mark.parametrize(
    ("case", "came", "said"),
    [
        (LIST, Outcome(None, KeyError(), LINE), "raises KeyError"),
        (LIST, outcome(500, {"status": 500}), "returns 500"),
        (LIST, outcome(409, {"status": 409}), "not documented"),
        (LIST, outcome(Cache_Control=None), "without ['Cache-Control']"),
        (LIST, outcome(Location="a\nb"), "Location that HTTP can't carry"),
        (LIST, outcome(Content_Type="text/html"), "as text/html"),
        (LIST, outcome(problem="{"), "is not JSON"),
        (LIST, outcome(problem='"\ud800"'), "is not JSON"),
        (request("HEAD", "/customers"), outcome(), "with a body"),
        (LIST, outcome(problem={"status": 401}), "not a complete problem"),
        (LIST, outcome(problem={"detail": f"{MARKER} is wrong"}), "repeats the client's input"),
        (LIST, outcome(problem={"detail": 'File "app.py", line 1'}), "reveals internals"),
        (
            NOBODY,
            outcome(200, '{"items": []}', Content_Type="application/json"),
            "without the scope",
        ),
        (LIST, outcome(logged=LINE + f'{{"a": "{MARKER}"}}'), "personal data"),
        (LIST, outcome(logged=LINE + "Traceback"), "line is not JSON"),
        (LIST, outcome(logged=""), "not logged once"),
        (WRONG, policy("Allow"), "accepts a token that was not issued"),
        (WRONG, policy("Deny", reason=MARKER), "repeats content of a token"),
        (WRONG, Outcome(None, KeyError(), ""), "the authorizer raises KeyError"),
        ([*seeds()][-1], Outcome(None, KeyError(), ""), "relay_events raises KeyError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fault_is_detected(case: Case, came: Outcome, said: str) -> None:
    (told,) = find_violations(case, came)

    assert said in told


def test_case_is_shrunk_to_the_essential_part() -> None:
    case = request("POST", "/customers", {"email": "a@b.c", "given_name": "x" * 500 + "!" + "y"})

    small = shrink(case, lambda other: "!" in json.dumps(other.event))

    assert small.event == {"body": "!"}
