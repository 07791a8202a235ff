"""Compare `python -m serve` with common alternatives: `make compare`.

All programs run at the same time, on one database. wrk sends requests to one program after the
other, for seconds, many times. The results are medians. A run with a response that is not a success
ends the comparison.

Other load distorts the ratios: programs with many threads get much slower than others. With a load
average above half of the processors at the start, the results are only printed.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import requests
from tqdm import tqdm

from benchmarks.results import bars, table
from benchmarks.serving.programs import (
    ASYNCMY,
    BASE,
    CORES,
    CUSTOMERS,
    LOCAL,
    OURS,
    SCRIPT,
    SERVE,
    Comparison,
    Running,
    running,
    wrk,
)
from local import engines
from local.processes import PROJECT, LocalError

CONNECTIONS = 16
ATTEMPTS = 20
PAGE = PROJECT / "docs" / "serve-performance.md"
PLOTS = PROJECT / "docs" / "performance"
FIGURES = re.compile("(?<=<!-- make compare -->\n).*?(?=<!-- end -->)", re.DOTALL)
KINDS = {"get": "get", "list": "list of 50", "create": "create"}
GOALS: Mapping[tuple[str, str], Mapping[str, float]] = {
    (SERVE, BASE): {"get": 4, "list": 4, "create": 5},
    (SERVE, ASYNCMY): {"get": 1, "list": 1, "create": 1},
    (LOCAL, BASE): {"get": 1.2, "list": 1.5, "create": 1.2},
}


class Run(NamedTuple):
    """The measurements of a run: latencies in ms, and CPU in seconds per thousand requests."""

    per_second: float
    p50: float
    p99: float
    cpu: float
    database_cpu: float


Runs = Mapping[str, Mapping[str, list[Run]]]
"""Runs by the kind of request and the program."""


class Difference(Exception):
    """A program's response differs from what the comparison requires."""


def main() -> int:
    """Measure, print the tables, and write them and the plots to docs/. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--python", default=str(PROJECT / ".venv/alternatives/bin/python"))
    parser.add_argument("--seconds", type=int, default=3, help="of each run (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="(%(default)s)")
    arguments = parser.parse_args()
    command = [
        wrk(),
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{arguments.seconds}s",
        "--timeout",
        "60s",
        "-s",
        str(SCRIPT),
    ]
    loads = [os.getloadavg()[0]]
    try:
        with (
            TemporaryDirectory(prefix="benchmark-") as directory,
            running(Path(directory), arguments.python) as compared,
        ):
            check(compared)
            runs = measure(compared, command, arguments.rounds)
    except (Difference, LocalError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    loads.append(os.getloadavg()[0])
    results = report(runs, loads, arguments)
    print(results)
    if loads[0] > CORES / 2:
        print("benchmark: not written to docs/, because of other load", file=sys.stderr)
        return 1
    PAGE.write_text(FIGURES.sub(lambda _: f"{results}\n", PAGE.read_text()))
    draw(runs)
    return 0


def measure(compared: Comparison, command: list[str], rounds: int) -> Runs:
    """Alternate between the programs. The first round warms them up, and does not count."""
    customer = _customers(compared.programs[SERVE], compared.token)[0]["id"]
    targets = {
        "get": ("GET", f"/customers/{customer}"),
        "list": ("GET", "/customers?limit=50"),
        "create": ("POST", "/customers"),
    }
    runs: dict[str, dict[str, list[Run]]] = {
        kind: {name: [] for name in compared.programs} for kind in KINDS
    }
    turns = [(k, n, name) for k in KINDS for n in range(rounds + 1) for name in compared.programs]
    for kind, number, name in tqdm(turns, desc="measuring", unit="run", leave=False):
        method, target = targets[kind]
        prefix = f"{number}.{list(compared.programs).index(name)}"
        variables = {"METHOD": method, "TARGET": target, "PREFIX": prefix, "TOKEN": compared.token}
        run = _run(compared, name, command, variables)
        if number:
            runs[kind][name].append(run)
    return runs


def _run(compared: Comparison, name: str, command: list[str], variables: Mapping[str, str]) -> Run:
    """Send load to a program. Raises Difference if a request fails."""
    program, database = compared.programs[name], compared.database
    for _ in range(ATTEMPTS):
        before = program.cpu_seconds(), sum(database.cpu_times()[:2])
        result = _send([*command, program.url], variables)
        after = program.cpu_seconds(), sum(database.cpu_times()[:2])
        if result["failed"]:
            raise Difference(f"{name}: {result['failed']} requests failed")
        if result["requests"]:  # else other programs had all processors
            break
        tqdm.write(f"{name}: no response within a run, which is repeated", file=sys.stderr)
    else:
        raise Difference(f"{name} does not respond")
    thousands = result["requests"] / 1000
    cpu, database_cpu = (
        (end - start) / thousands for start, end in zip(before, after, strict=True)
    )
    per_second = result["requests"] / result["seconds"]
    return Run(per_second, result["p50"], result["p99"], cpu, database_cpu)


def _send(command: list[str], variables: Mapping[str, str]) -> Any:
    """Run wrk, and return its results: none if it can't connect."""
    done = subprocess.run(  # noqa: S603 (its path was looked up)
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tqdm.write(f"{command[-1]}: {done.stderr.strip()}", file=sys.stderr)
        return {"requests": 0, "failed": 0}
    return json.loads(done.stderr)


# --- the same behavior -----------------------------------------------------------------------


def check(compared: Comparison) -> None:
    """Raise Difference unless all programs return the same customers, and reject the same."""
    token, expected = compared.token, _customers(compared.programs[SERVE], compared.token)
    for number, (name, program) in enumerate(compared.programs.items()):
        if _customers(program, token) != expected:
            raise Difference(f"{name} returns other customers")
        one = _get(program, f"/customers/{expected[0]['id']}", token)
        if one != expected[0]:
            raise Difference(f"{name} returns another customer")
        statuses = list(_statuses(program, token, f"check.{number}@example.com"))
        if statuses != [201, 409, 400, 400, 401]:
            raise Difference(f"{name} responds with {statuses}")


def _statuses(program: Running, token: str, email: str) -> Iterator[int]:
    """Yield the statuses of responses to valid and to invalid customers. 422 means 400."""
    new = {"email": email, "given_name": "Ada"}
    for body in (new, new, {"email": email}, {**new, "phone": "0"}):
        status = _post(program, body, token)
        yield 400 if status == requests.codes.unprocessable else status
    header, payload, signature = token.split(".")
    yield _post(program, new, f"{header}.{payload}.{signature[:-8]}AAAAAAAA")


def _post(program: Running, body: Any, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{program.url}/customers"
    return requests.post(url, json=body, headers=headers, timeout=120).status_code


def _customers(program: Running, token: str) -> list[Any]:
    """Return the first page, without the customers of `check`."""
    page = _get(program, "/customers?limit=50", token)
    items = page["items"] if "items" in page else page["results"]
    return [item for item in items if not item["email"].startswith("check.")][:20]


def _get(program: Running, target: str, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    response = requests.get(program.url + target, headers=headers, timeout=120)
    return response.json()


# --- results ---------------------------------------------------------------------------------


def medians(runs: Mapping[str, list[Run]]) -> dict[str, Run]:
    return {name: Run(*map(median, zip(*own, strict=True))) for name, own in runs.items()}


def report(runs: Runs, loads: list[float], arguments: argparse.Namespace) -> str:
    """Return a table for each kind of request, and whether the goals are met."""
    figures = {kind: medians(own) for kind, own in runs.items()}
    parts = [f"**{name}**\n\n{_table(figures[kind])}" for kind, name in KINDS.items()]
    parts.append("\n".join(_verdicts(figures)))
    parts += [f"![{name}](performance/serve-{kind}.svg)" for kind, name in KINDS.items()]
    parts.append(f"The line in a plot is the goal of `{SERVE}`.")
    parts.append(
        f"{CUSTOMERS:,} customers, {CONNECTIONS} connections; {arguments.rounds} runs of"
        f" {arguments.seconds} s for each program and kind; medians. No request failed."
        f" {os.cpu_count()} cores, Python {platform.python_version()}, {engines.selected().find()},"
        f" {platform.machine()}. Load average at the start: {loads[0]:.1f}, at the end:"
        f" {loads[1]:.1f}."
    )
    return "\n\n".join(parts)


def _table(figures: Mapping[str, Run]) -> str:
    head = ["program", "requests per second", "ratio", "p50, ms", "p99, ms"]
    head += ["CPU, s per 1,000 requests", "CPU of the database"]
    rows = [
        [
            name,
            f"{run.per_second:,.0f}",
            f"{run.per_second / figures[BASE].per_second:.2f}",
            f"{run.p50:.1f}",
            f"{run.p99:.1f}",
            f"{run.cpu:.2f}",
            f"{run.database_cpu:.2f}",
        ]
        for name, run in figures.items()
    ]
    return table(head, rows)


def _verdicts(figures: Mapping[str, Mapping[str, Run]]) -> Iterator[str]:
    for (name, other), goals in GOALS.items():
        for kind, goal in goals.items():
            own = figures[kind]
            ratio = own[name].per_second / own[other].per_second
            cpu = own[other].cpu / own[name].cpu
            verdict = "pass" if ratio >= goal else "**fail**"
            yield (
                f"- {name}, {KINDS[kind]}: {ratio:.2f} times {other} (goal: {goal}): {verdict};"
                f" by CPU of the server: {cpu:.2f}"
            )


def draw(runs: Runs) -> None:
    """Write a plot for each kind of request."""
    for kind, name in KINDS.items():
        figures = medians(runs[kind])
        ratios = {name: run.per_second / figures[BASE].per_second for name, run in figures.items()}
        title = f"{name.capitalize()}: requests per second, {BASE} = 1"
        plot = bars(title, ratios, GOALS[SERVE, BASE][kind], OURS)
        (PLOTS / f"serve-{kind}.svg").write_text(plot)


if __name__ == "__main__":
    sys.exit(main())
