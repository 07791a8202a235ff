"""Fuzz the functions, guided by coverage: `make fuzz`. See load/README.md for the invariants.

Starts a private MariaDB, publishes the keys of a token issuer, and lets libFuzzer (through atheris)
mutate events. A case that violates an invariant is stored, minimized, and printed with the command
that replays it. The folder keeps the corpus, so the next run continues where this one ended.
"""

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tqdm import tqdm

import migrations
from app import SCOPES
from chalicelib.database import connect
from chalicelib.settings import Settings
from load.fuzz.cases import seeds, serialize
from local.database_server import DatabaseServer
from local.processes import PROJECT, Child, LocalError, answers, free_port
from local.state import locked
from tests import tokens

FOLDER = PROJECT / "artifacts" / "fuzz"
SECONDS = 300
MAX_CASE_BYTES = 300_000  # per case: a body may be 65,536 bytes, escaped
COST_RUNS = 30_000
STALLED_SECONDS = 30  # after this time, libFuzzer reports that a case hangs
MAX_MEMORY_MB = 2_048  # MB
_PULSE = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: \d+ corp: (\d+)", re.MULTILINE)
_FOUND = re.compile(r"^FOUND (\S+): (.*)$", re.MULTILINE)


class Growth(NamedTuple):
    """Executions, instrumented branches reached, and cases in the corpus, at one moment."""

    executions: int
    reached: int
    corpus: int


@contextmanager
def world(directory: Path, *, is_direct: bool) -> Iterator[Mapping[str, str]]:
    """Run the database and the token issuer; yield the environment variables that name them."""
    database_server = DatabaseServer(
        directory / "database", free_port(), {"innodb-flush-log-at-trx-commit": "0"}
    )
    data_api = free_port()
    token = tokens.issuer().token(SCOPES, seconds=30 * 86_400)
    try:
        database_server.start()
        command = [sys.executable, "-m", "local.data_api", "--port", str(data_api)]
        environment = {**os.environ, "DATABASE_URL": database_server.url}
        with Child("data-api", command, directory / "data-api.log", environment) as server:
            server.wait_until(lambda: answers(data_api))
            database = connect(Settings(endpoint_url=f"http://127.0.0.1:{data_api}"))
            migrations.apply(database, database, migrations.read(), lambda _: None)
            by_data_api = {
                "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{data_api}",
                "DATA_API_CLIENT": "slim",
            }
            way = {"DATABASE_URL": database_server.url} if is_direct else by_data_api
            yield {"FUZZ_TOKEN": token, "FUZZ_DATABASE_URL": database_server.url, **way}
    finally:
        database_server.stop()


def options(arguments: argparse.Namespace, folder: Path) -> list[str]:
    """Return the options for libFuzzer itself."""
    limits = {
        "seed": arguments.seed,
        "runs": arguments.runs or -1,
        "max_total_time": 0 if arguments.runs else arguments.seconds,
        "max_len": MAX_CASE_BYTES,
        "len_control": 0,
        "timeout": STALLED_SECONDS,
        "rss_limit_mb": MAX_MEMORY_MB,
        "print_final_stats": 1,
        "artifact_prefix": f"{folder / 'found'}/",
    }
    return [str(folder / "corpus"), *(f"-{name}={value}" for name, value in limits.items())]


def prepare(folder: Path) -> None:
    """Create the folders that libFuzzer writes to, and add the seeds to the corpus."""
    for name in ("corpus", "found"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for n, case in enumerate(seeds()):
        (folder / "corpus" / f"seed-{n:03}").write_bytes(serialize(case))


def run_fuzzer(arguments: argparse.Namespace, folder: Path, environment: Mapping[str, str]) -> int:
    """Run libFuzzer until it ends, print a report, and return the exit code."""
    command = [arguments.python, "-m", "load.fuzz.target", str(folder), *options(arguments, folder)]
    log, start = folder / "log.txt", time.monotonic()
    with Child("fuzzer", command, log, {**os.environ, **environment}) as fuzzer:
        history = follow(fuzzer, log, arguments)
    if not history:
        raise LocalError(fuzzer.obituary())
    print(report(folder, history, arguments.seed, time.monotonic() - start))
    return 1 if fuzzer.exit_code or faults(log) else 0


def follow(fuzzer: Child, log: Path, arguments: argparse.Namespace) -> list[Growth]:
    """Show the progress until the fuzzer ends. Return the growth over time."""
    total = arguments.runs or None
    history: list[Growth] = []
    with tqdm(total=total, desc="fuzzing", unit=" cases", disable=None) as bar:
        while True:
            has_ended = fuzzer.has_ended
            pulses = _PULSE.findall(log.read_text(errors="replace"))
            history = [Growth(*map(int, growth)) for growth in pulses]
            if history:
                bar.update(history[-1].executions - bar.n)
                bar.set_postfix_str(f"{history[-1].reached} branches, {len(faults(log))} faults")
            if has_ended:
                return history
            time.sleep(0.5)


def faults(log: Path) -> dict[str, str]:
    """Return the faults that were found: the file, and the violated invariant."""
    return dict(_FOUND.findall(log.read_text(errors="replace")))


def report(folder: Path, history: Sequence[Growth], seed: int, seconds: float) -> str:
    """Return the report: executions, growth of coverage, and how to replay each fault."""
    stats: dict[str, Any] = json.loads((folder / "stats.json").read_text())
    executions = max(stats["executions"], *(growth.executions for growth in history), 0)
    lines = [
        f"{executions:,} executions in {seconds:,.0f} s, seed {seed}",
        f"slowest case: {stats['slowest'][0] * 1000:.0f} ms of CPU time, instrumented",
        "responses: " + ", ".join(f"{kind} {n:,}" for kind, n in sorted(stats["seen"].items())),
        "executions, branches reached, cases in the corpus:",
        *(f"  {n:>10,} {reached:>6,} {corpus:>6,}" for n, reached, corpus in _thin(history)),
    ]
    for name, fault in faults(folder / "log.txt").items():
        file = os.path.relpath(folder / "found" / name)
        lines += [f"FOUND {fault}", f'  make fuzz ARGS="--replay {file}"']
    return "\n".join(lines)


def _thin(history: Sequence[Growth]) -> list[Growth]:
    """Return the growth at each doubling of executions, and at the end."""
    kept: list[Growth] = []
    for growth in history:
        if not kept or growth.executions >= 2 * kept[-1].executions:
            kept.append(growth)
    return [*kept, history[-1]] if history and kept[-1] != history[-1] else kept


def replay(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run the cases in the files once, print the results, and return the exit code."""
    command = [sys.executable, "-m", "load.fuzz.replay", *map(str, arguments.replay)]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


def search_costs(arguments: argparse.Namespace) -> int:
    """Search for expensive requests, print a report, and return the exit code."""
    from load.fuzz import costs

    for line in costs.search(
        arguments.runs or COST_RUNS, arguments.seed, arguments.folder / "costs"
    ):
        print(line)
    return 0


def main() -> int:
    """Fuzz or replay. Return the exit code: 1 if an invariant was violated."""
    arguments = _arguments()
    folder: Path = arguments.folder
    if arguments.costs:
        return search_costs(arguments)
    try:
        with (
            TemporaryDirectory() as directory,
            world(Path(directory), is_direct=arguments.direct) as environment,
        ):
            if arguments.replay:
                return replay(arguments, environment)
            with locked(folder):
                prepare(folder)
                return run_fuzzer(arguments, folder, environment)
    except KeyboardInterrupt:
        return 130
    except (LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m load.fuzz", description=__doc__)
    parser.add_argument("--python", default=str(PROJECT / ".venv/fuzz/bin/python"))
    parser.add_argument("--seconds", type=_positive, default=SECONDS, help="(%(default)s)")
    parser.add_argument("--runs", type=_positive, help="stop after this number of executions")
    parser.add_argument("--seed", type=_positive, default=1 + secrets.randbelow(2**31 - 1))
    parser.add_argument(
        "--costs", action="store_true", help="search for expensive requests, instead of faults"
    )
    parser.add_argument(
        "--direct", action="store_true", help="run SQL through PyMySQL, which is faster"
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="folder of the corpus and the faults"
    )
    parser.add_argument(
        "--replay",
        type=_file,
        nargs="+",
        metavar="FILE",
        help="only run the cases in these files, once",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"file not found: {text}")
    return Path(text).resolve()


if __name__ == "__main__":
    sys.exit(main())
