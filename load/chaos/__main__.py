"""Kill parts of the service under load and check its guarantees: `python -m load.chaos`.

Exit codes: 0 if no guarantee was violated, 1 if one was, 2 for a usage error, 3 if the final data
could not be read, 130 after Ctrl-C. Unless the run passed, its folder is kept.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from tqdm import tqdm

from app import READ
from load.chaos import broken, checker, faults, final, nemesis, plot, report
from load.chaos.clients import HOW_MANY, Client, Pools
from load.chaos.connection import Connection
from load.chaos.consumer import consuming
from load.chaos.facts import Final
from load.chaos.history import Log, now
from load.chaos.mirror import Mirror, NotFollowed
from load.chaos.pool import Pool
from load.chaos.purger import Purger
from load.chaos.relays import Relays
from load.chaos.service import BACKENDS, SERVE, Service
from load.chaos.workers import Worker, working
from local.processes import PROJECT, LocalError

DEFAULT_SECONDS = 480
"""With startup, the feed's delay and the final reading, a run then takes ten minutes."""
MIN_SECONDS, MAX_SECONDS = 5, 3_600
FOLLOWING_SECONDS = 35.0
"""Seconds of faults after the last write, in which only the mirror reads."""
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
    final_data, was_interrupted, began = None, False, now()
    with closing(Log(directory / "history.jsonl")) as log:
        try:
            with closing(Service(directory, arguments.backends, arguments.broken)) as service:
                service.start()
                began = now()
                final_data = _torment(service, log, arguments)
        except KeyboardInterrupt:
            was_interrupted = True
    crashes = [fault for fault in log.faults if fault.kind in faults.CRASHES]
    traffic = [operation for operation in log.operations if operation.kind != "changes"]
    run = report.Run(
        seed=arguments.seed,
        seconds=max((operation.ended for operation in traffic), default=began) - began,
        backends=arguments.backends,
        broken=arguments.broken,
        operations=traffic,
        faults=log.faults,
        verdict=checker.check(log.operations, final_data, crashes),
    )
    _report(run, directory, arguments)
    return INTERRUPTED if was_interrupted else EXIT_CODES[run.verdict.result]


class Followers(NamedTuple):
    """Who learns of all changes: a mirror by the feed, and a consumer by the relays' events."""

    mirror: Mirror
    relays: Relays


def _torment(service: Service, log: Log, arguments: argparse.Namespace) -> Final | None:
    """Inject faults while clients send requests; return the final data, if it can be read."""
    rng = Random(arguments.seed)
    kinds = nemesis.plan(rng, faults.possible(arguments.backends))
    with _following(service, log, arguments) as followers:
        with working([*followers] if followers else []):
            with (
                working(_writers(service, log, arguments.seed)),
                _progress(arguments.seconds, log, arguments.operations) as wait,
            ):
                nemesis.inject(service, kinds, len(nemesis.OPENING), log.add, rng, wait)
            service.kill_api()  # it may still retry writes that their clients have given up
            service.start_api()
            quiet = now() + faults.LATE  # then no delayed call is left
            if followers and service.feed_delay:
                with _progress(FOLLOWING_SECONDS, log) as wait:
                    nemesis.inject(service, kinds, 0, lambda _: None, rng, wait)
        return _read(service, followers, quiet)


@contextmanager
def _following(
    service: Service, log: Log, arguments: argparse.Namespace
) -> Iterator[Followers | None]:
    """Start the followers' programs, unless the run has no followers."""
    if not arguments.mirror:
        yield None
        return
    mirror = Mirror(Connection(service.port, service.token("mirror", [READ])), log)
    with consuming(Random(f"{arguments.seed}.consumer")) as consumer:
        service.start_relays(consumer.url)
        yield Followers(mirror, Relays(service, consumer, log, Random(f"{arguments.seed}.relays")))


def _writers(service: Service, log: Log, seed: int) -> list[Worker]:
    """Return the threads that change customers."""
    pools = Pools(Pool(), Pool())
    clients = [
        Client(
            n,
            Connection(service.port, service.token(f"client-{n}")),
            pools,
            log,
            Random(f"{seed}.{n}"),
        )
        for n in range(HOW_MANY)
    ]
    return [*clients, Purger(service.connect(), pools.by_id, log, Random(f"{seed}.purger"))]


@contextmanager
def _progress(seconds: float, log: Log, minimum: int = 0) -> Iterator[faults.Wait]:
    """Show the progress. Yields a function that waits.

    It waits no longer than `seconds` in total, unless fewer operations than the minimum were made.
    """
    deadline = time.monotonic() + seconds
    shape = "faults: {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    with tqdm(total=seconds, bar_format=shape, leave=False) as bar:

        def wait(pause: float) -> bool:
            is_enough = len(log.operations) >= minimum
            time.sleep(max(min(pause, deadline - time.monotonic()), 0) if is_enough else pause)
            bar.n = min(seconds, seconds - deadline + time.monotonic())
            bar.set_postfix_str(f"{len(log.operations):,} operations", refresh=True)
            return time.monotonic() >= deadline and len(log.operations) >= minimum

        yield wait


def _read(service: Service, followers: Followers | None, quiet: float) -> Final | None:
    """Read all data after the last pending call has ended.

    Returns None if the service does not respond.
    """
    time.sleep(max(quiet - now(), 0))
    try:
        data = final.read(service)
        if followers is None:
            return data
        time.sleep(max(quiet + service.feed_delay - now(), 0))
        followers.mirror.catch_up()
    except (final.NoReading, NotFollowed) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return None
    events = followers.relays.catch_up(quiet)
    return replace(data, mirror=followers.mirror.customers, events=events)


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
        description="Kill parts of the service under load, and report each violated guarantee.",
        epilog="Exit codes: 0 pass, 1 fail, 2 usage error, 3 unknown, 130 Ctrl-C.",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=DEFAULT_SECONDS,
        help=f"duration of the traffic, {MIN_SECONDS} to {MAX_SECONDS} (%(default)s)",
    )
    parser.add_argument(
        "--operations",
        type=int,
        default=0,
        help="minimum number of operations, for which a slow machine takes longer (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the fault plan (%(default)s)")
    parser.add_argument(
        "--backends",
        type=_names(BACKENDS),
        default=[*BACKENDS],
        help="how the API reaches the database, in turn with each start (%(default)s)",
    )
    parser.add_argument(
        "--serve",
        dest="backends",
        action="store_const",
        const=[SERVE],
        help="the API is `python -m serve` with two processes, which are killed, too",
    )
    parser.add_argument(
        "--without-mirror",
        dest="mirror",
        action="store_false",
        help="follow neither the feed of changes nor the events, which takes a minute longer",
    )
    parser.add_argument(
        "--broken",
        type=_names(broken.FAULTS),
        default=[],
        help="control run: the API and the relays have these faults, so the check must fail: "
        + ", ".join(broken.FAULTS),
    )
    parser.add_argument("--json", type=_file, help="also write the figures to this file")
    parser.add_argument("--plot", action="store_true", help="draw docs/reliability/chaos.svg")
    arguments = parser.parse_args()
    if arguments.broken and SERVE in arguments.backends:
        parser.error("--broken needs the local gateway: omit --serve")
    return arguments


def _file(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} must be a file in an existing folder")
    return path


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return a parser of some of the names, separated by commas."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
        return names

    return parse


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) not in range(MIN_SECONDS, MAX_SECONDS + 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not from {MIN_SECONDS} to {MAX_SECONDS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
