"""Kill parts of the service under load and check that no write is lost: `python -m load.chaos`.

Exit codes: 0 if no guarantee was violated, 1 if one was, 2 for a usage error, 3 if the final data
could not be read, 130 after Ctrl-C. Unless the run passed, its folder is kept.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import NoReturn

from tqdm import tqdm

from load.chaos import checker, final, nemesis, plot, report
from load.chaos.clients import HOW_MANY, Client, Pool
from load.chaos.connection import Connection
from load.chaos.facts import Final
from load.chaos.history import Log, now
from load.chaos.service import Service
from local.processes import PROJECT, LocalError

MAX_SECONDS = 510
"""Seconds of traffic. With startup and the final reading, a run takes at most ten minutes."""
MIN_SECONDS = 5
EXIT_CODES = {"pass": 0, "fail": 1, "unknown": 3}
INTERRUPTED = 130
PLOT = PROJECT / "docs" / "reliability" / "chaos.svg"


def main() -> int:
    """Run, report, and return the exit code."""
    arguments = _arguments()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    code = EXIT_CODES["unknown"]
    try:
        code = _run(directory, arguments)
    except (LocalError, OSError) as error:
        print(f"chaos: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code in (0, INTERRUPTED):
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"The history, the logs and the database are in {directory}")
    return code


def _run(directory: Path, arguments: argparse.Namespace) -> int:
    reading, was_interrupted, began = None, False, now()
    with closing(Log(directory / "history.jsonl")) as log:
        try:
            with closing(Service(directory, idempotency=arguments.idempotency)) as service:
                service.start()
                began = now()
                _torment(service, log, arguments)
                reading = _read(service, log)
        except KeyboardInterrupt:
            was_interrupted = True
    run = report.Run(
        seed=arguments.seed,
        seconds=max((operation.ended for operation in log.operations), default=began) - began,
        idempotency=arguments.idempotency,
        operations=log.operations,
        faults=log.faults,
        verdict=checker.check(log.operations, reading),
    )
    _report(run, directory, arguments)
    return INTERRUPTED if was_interrupted else EXIT_CODES[run.verdict.result]


def _torment(service: Service, log: Log, arguments: argparse.Namespace) -> None:
    """Inject faults for the requested time, while clients send requests."""
    deadline = time.monotonic() + arguments.seconds
    with _clients(service, log, arguments.seed), _progress(arguments.seconds) as bar:

        def wait(seconds: float) -> bool:
            time.sleep(max(min(seconds, deadline - time.monotonic()), 0))
            bar.n = min(arguments.seconds, arguments.seconds - deadline + time.monotonic())
            bar.set_postfix_str(f"{len(log.operations):,} operations", refresh=True)
            return bool(time.monotonic() >= deadline)

        nemesis.inject(service, log, Random(arguments.seed), wait)


@contextmanager
def _clients(service: Service, log: Log, seed: int) -> Iterator[None]:
    """Let clients send requests until the block ends, then let them finish pending operations."""
    pool = Pool()
    clients = [
        Client(
            n,
            Connection(service.port, service.token(f"client-{n}")),
            pool,
            log,
            Random(f"{seed}.{n}"),
        )
        for n in range(HOW_MANY)
    ]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join()
    if failures := [client.failure for client in clients if client.failure]:
        raise failures[0]


def _progress(seconds: float) -> "tqdm[NoReturn]":
    return tqdm(
        total=seconds,
        bar_format="faults: {percentage:3.0f}%|{bar}| {elapsed}{postfix}",
        leave=False,
    )


def _read(service: Service, log: Log) -> Final | None:
    """Read all data after the last pending call has ended.

    Returns None if the service does not respond.
    """
    late = [fault.ended for fault in log.faults if fault.kind == "late"]
    time.sleep(max(max(late, default=0.0) + nemesis.LATE - now(), 0))
    try:
        return final.read(service)
    except final.NoReading as error:
        print(f"chaos: {error}", file=sys.stderr)
        return None


def _report(run: report.Run, directory: Path, arguments: argparse.Namespace) -> None:
    print(report.text(run))
    figures = json.dumps(report.figures(run), indent=2) + "\n"
    (directory / "figures.json").write_text(figures)
    if arguments.json:
        arguments.json.write_text(figures)
    if arguments.plot and run.operations:
        PLOT.parent.mkdir(exist_ok=True)
        PLOT.write_text(plot.draw(run.operations, run.faults))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m load.chaos",
        description="Kill parts of the service under load, and report lost or duplicated writes.",
        epilog="Exit codes: 0 pass, 1 fail, 2 usage error, 3 unknown, 130 Ctrl-C.",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=MAX_SECONDS,
        help=f"duration of the traffic, {MIN_SECONDS} to {MAX_SECONDS} (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the fault plan (%(default)s)")
    parser.add_argument(
        "--without-idempotency",
        dest="idempotency",
        action="store_false",
        help="control run: the API ignores idempotency keys, so the check must fail",
    )
    parser.add_argument("--json", type=_file, help="also write the figures to this file")
    parser.add_argument("--plot", action="store_true", help="draw docs/reliability/chaos.svg")
    return parser.parse_args()


def _file(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} must be a file in an existing folder")
    return path


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) not in range(MIN_SECONDS, MAX_SECONDS + 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not from {MIN_SECONDS} to {MAX_SECONDS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
