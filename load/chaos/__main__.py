"""Break the service on purpose, and look whether a write is lost: `python -m load.chaos`.

Ends with 0 if every promise was kept, 1 if one was broken, 2 if it was called wrongly, 3 if the end
could not be read, 130 after Ctrl-C. A run that was not a pass keeps its folder.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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

FULL_SECONDS = 510
"""Of traffic: with the start and the final reading it is ten minutes at most."""
LEAST_SECONDS = 5
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
    with Log(directory / "history.jsonl") as log:
        try:
            with Service(directory, idempotency=arguments.idempotency) as service:
                began = now()
                _torment(service, log, arguments)
                reading = _read(service, log)
        except KeyboardInterrupt:
            was_interrupted = True
    run = report.Run(
        seed=arguments.seed,
        seconds=max((each.ended for each in log.operations), default=began) - began,
        idempotency=arguments.idempotency,
        operations=log.operations,
        faults=log.faults,
        verdict=checker.check(log.operations, reading),
    )
    _tell(run, directory, arguments)
    return INTERRUPTED if was_interrupted else EXIT_CODES[run.verdict.result]


def _torment(service: Service, log: Log, arguments: argparse.Namespace) -> None:
    """Break the service for the time that was asked for, while clients use it."""
    deadline = time.monotonic() + arguments.seconds
    with _clients(service, log, arguments.seed), _progress(arguments.seconds) as bar:

        def wait(seconds: float) -> bool:
            time.sleep(max(min(seconds, deadline - time.monotonic()), 0))
            bar.n = min(arguments.seconds, arguments.seconds - deadline + time.monotonic())
            bar.set_postfix_str(f"{len(log.operations):,} operations", refresh=True)
            return bool(time.monotonic() >= deadline)

        nemesis.torment(service, log, Random(arguments.seed), wait)


@contextmanager
def _clients(service: Service, log: Log, seed: int) -> Iterator[None]:
    """Have clients send until the end, and finish what they have begun."""
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
        bar_format="breaking: {percentage:3.0f}%|{bar}| {elapsed}{postfix}",
        leave=False,
    )


def _read(service: Service, log: Log) -> Final | None:
    """Read everything once no call can take effect any more.

    Returns None if the service does not answer.
    """
    late = [each.ended for each in log.faults if each.kind == "late"]
    time.sleep(max(max(late, default=0.0) + nemesis.LATE - now(), 0))
    try:
        return final.read(service)
    except final.NoReading as error:
        print(f"chaos: {error}", file=sys.stderr)
        return None


def _tell(run: report.Run, directory: Path, arguments: argparse.Namespace) -> None:
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
        description="Kill parts of the service while clients use it; tell what was lost.",
        epilog="Ends with 0: pass, 1: fail, 2: wrong use, 3: unknown, 130: Ctrl-C.",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=FULL_SECONDS,
        help=f"of traffic, {LEAST_SECONDS} to {FULL_SECONDS} (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the plan (%(default)s)")
    parser.add_argument(
        "--without-idempotency",
        dest="idempotency",
        action="store_false",
        help="the API drops the keys of creates, which is to fail",
    )
    parser.add_argument("--json", type=_file, help="write the figures into this file, too")
    parser.add_argument("--plot", action="store_true", help="draw docs/reliability/chaos.svg")
    return parser.parse_args()


def _file(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no file that could be written")
    return path


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) not in range(LEAST_SECONDS, FULL_SECONDS + 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not from {LEAST_SECONDS} to {FULL_SECONDS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
