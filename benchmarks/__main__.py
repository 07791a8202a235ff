"""Compare the service with other frameworks: `make bench`. Method: docs/performance.md.

Every program runs in fresh processes that have imported AWS's runtime client. All programs receive
the same events and use the same stub of the Data API. Valgrind counts instructions. Without
valgrind, or with `--cpu`, the unit is CPU seconds: medians of rounds in which all programs take
turns. Then `benchmarks.goals` compares the package's cold starts, both functions and all sizes with
their goals. At the end, `benchmarks.json_cost` measures what JSON costs the database.
"""

import argparse
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tqdm import tqdm

from benchmarks import budget, goals, json_cost
from benchmarks.budget import package_size
from benchmarks.meter import OURS, ROOT, Costs, Meter, Program, has_valgrind, meter
from benchmarks.results import bars, table
from benchmarks.sizes import zipped

FIRST = "awslambdaric.bootstrap"
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"
PART = "(?<=<!-- {} -->\n).*?(?=<!-- end -->)"
MB = 1_000_000
CPU_ROUNDS = 21
BASE, SERVICE = "bare boto3", "ours"


class Limited(NamedTuple):
    """A measured cost: its name in the report, and the limit of our ratio to bare boto3."""

    name: str
    limit: float


LIMITS = {
    "cold": Limited("cold start", 0.25),
    "get": Limited("get", 0.20),
    "get by external id": Limited("get by external id", 0.22),
    "list": Limited("list of 50", 0.09),
    "create": Limited("create", 0.26),
    "put six fields": Limited("PUT", 0.33),
    "patch a field": Limited("PATCH", 0.25),
    "batch": Limited("batch of 100", 0.60),
    "patch batch": Limited("bulk patch of 100", 0.36),
}
"""The kinds of requests. The cold start includes a get."""
WARM = [kind for kind in LIMITS if kind != "cold"]
MAX_PACKAGE_MB = 1.0


class Peer(NamedTuple):
    """A program, and the packages in its requirements file. The Lambda runtime provides boto3."""

    program: Program
    requirements: tuple[str, ...] = ()


def peer(module: str, *requirements: str) -> Peer:
    return Peer(Program(f"benchmarks.peers.{module}"), requirements)


PEERS = {
    "floor, raw socket": peer("floor"),
    "floor, http.client": peer("floor_http"),
    SERVICE: Peer(OURS),
    BASE: peer("bare"),
    "usual Chalice": peer("usual_chalice", "marshmallow", "aws-xray-sdk", "boto3"),
    "Powertools, pydantic": peer(
        "powertools", "aws-lambda-powertools", "pydantic", "email-validator"
    ),
    "FastAPI, Mangum": peer("fastapi_mangum", "fastapi", "mangum", "email-validator"),
}


class Figures(NamedTuple):
    """The measurements of a program: costs, megabytes of its package, megabytes of memory."""

    costs: Costs
    package: float
    memory: float


def main() -> None:
    """Measure all programs, print the table, and write it and the plots to docs/."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--python", default=str(ROOT / ".venv/bench/bin/python"))
    parser.add_argument("--cpu", action="store_true", help="measure CPU seconds")
    arguments = parser.parse_args()
    counts = has_valgrind() and not arguments.cpu
    with meter(arguments.python, FIRST) as bench:
        figures = measure(bench, site_of(arguments.python), counts=counts)
    unit = "million instructions" if counts else "milliseconds of CPU"
    publish("make bench", report(figures, unit))
    draw(figures, "instructions" if counts else "CPU")
    if counts:
        costs = budget.measure(budget.interpreter(), counts=True)
        publish("make bench, goals", goals.report(costs, figures[BASE].costs))
    json_cost.main([])


def publish(part: str, results: str) -> None:
    """Print results, and replace a part of the page by them."""
    print(results)
    place = re.compile(PART.format(part), re.DOTALL)
    PAGE.write_text(place.sub(lambda _: f"{results}\n", PAGE.read_text()))


def draw(figures: Mapping[str, Figures], unit: str) -> None:
    """Write a plot for each kind of cost."""
    PLOTS.mkdir(exist_ok=True)
    for kind, (name, limit) in LIMITS.items():
        title = f"{name[0].upper()}{name[1:]}: {unit}, bare boto3 = 1"
        file = PLOTS / f"{kind.replace(' ', '-')}.svg"
        file.write_text(bars(title, ratios(figures, kind), limit))


def site_of(python: str) -> Path:
    """Return the site-packages folder of a Python."""
    command = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())  # noqa: S603


def measure(bench: Meter, site: Path, *, counts: bool) -> dict[str, Figures]:
    rounds, factor = (1, 1e-6) if counts else (CPU_ROUNDS, 1e3)
    turns = tqdm([name for _ in range(rounds) for name in PEERS], desc="measuring", unit="program")
    costs: dict[str, list[Costs]] = {name: [] for name in PEERS}
    for name in turns:
        turns.set_postfix_str(name)
        costs[name].append(bench.costs(PEERS[name].program, WARM, by_valgrind=counts))
    return {
        name: Figures(
            {kind: factor * median(cost[kind] for cost in costs[name]) for kind in LIMITS},
            package(peer, site) / MB,
            bench.statistics(peer.program).peak / MB,
        )
        for name, peer in PEERS.items()
    }


def package(peer: Peer, site: Path) -> int:
    return package_size() if peer.program == OURS else zipped(peer.requirements, site)


def ratios(figures: Mapping[str, Figures], kind: str) -> dict[str, float]:
    base = figures[BASE].costs[kind]
    return {name: figure.costs[kind] / base for name, figure in figures.items()}


def report(figures: Mapping[str, Figures], unit: str) -> str:
    """Return the table of costs with their limits, and the table of sizes."""
    costs = [row(kind, figures) for kind in LIMITS]
    sizes = [
        ["package, MB", *(f"{own.package:.2f}" for own in figures.values()), f"{MAX_PACKAGE_MB}"],
        ["peak, MB", *(f"{own.memory:.0f}" for own in figures.values()), ""],
    ]
    head = [f"{unit}; ratio to {BASE}", *figures, f"limit for {SERVICE}"]
    return "\n".join(
        [
            table(head, [*costs, *sizes]),
            "",
            *verdicts(figures),
            "",
            f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}.",
        ]
    )


def row(kind: str, figures: Mapping[str, Figures]) -> list[str]:
    name, limit = LIMITS[kind]
    ratio = ratios(figures, kind)
    costs = [f"{own.costs[kind]:.2f} ({ratio[name]:.2f})" for name, own in figures.items()]
    return [name, *costs, f"{limit:.2f}"]


def verdicts(figures: Mapping[str, Figures]) -> list[str]:
    own = {name: (ratios(figures, kind)[SERVICE], limit) for kind, (name, limit) in LIMITS.items()}
    own["package"] = (figures[SERVICE].package, MAX_PACKAGE_MB)
    return [
        f"- {name}: {value:.3f} (limit {limit:.2f}): {'pass' if value <= limit else '**fail**'}"
        for name, (value, limit) in own.items()
    ]


if __name__ == "__main__":
    main()
