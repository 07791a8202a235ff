"""The rehearsal: `make rehearse`, or `python -m tests.rehearsal <ministack's Python>`.

Runs the operators' commands unchanged, for staging, in an emulated AWS: a first release with
tests/e2e, another version, another password, a restore drill, other backends, and the end of the
stage.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pymysql
from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException

from chalicelib.database import DatabaseError
from infrastructure.failures import Failure
from local.processes import LocalError
from tests.rehearsal.filters import NOT_IMPLEMENTED
from tests.rehearsal.play import Play

EXPECTED_ERRORS = (
    BotoCoreError,
    ClientError,
    DatabaseError,
    Failure,
    LocalError,
    OSError,
    pymysql.Error,
    RequestException,
)
LAST_LINES = 30


def main() -> int:
    """Run the rehearsal; return the exit code. Removes all its files, even after a failure."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.rehearsal <ministack's Python>", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="customers-rehearsal-") as name:
        tempfile.tempdir = name  # of all temporary files from here on
        directory = Path(name)
        try:
            rehearse(Path(sys.argv[1]), directory)
        except EXPECTED_ERRORS as error:
            _print_logs(directory)
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\ninterrupted; everything is stopped and removed", file=sys.stderr)
            return 130
    return 0


def rehearse(python: Path, directory: Path) -> None:
    """Run each step. Raises one of EXPECTED_ERRORS."""
    began = time.monotonic()
    with Play(python, directory) as play:
        for step in (
            play.start_emulator,
            play.check,
            play.provision,
            play.start_database,
            play.migrate,
            play.deploy,
            play.check_roles,
            play.begin_events,
            play.prepare_move,
            play.run_e2e_tests,
            play.run_load_test,
            play.smoke,
            play.finish,
            play.deploy_next_version,
            play.roll_back,
            play.rotate,
            play.receive_events,
            play.damage,
            play.restore,
            play.switch,
            play.switch_back,
            play.clean_up,
            play.move,
            play.use_iam,
            play.use_password,
            play.destroy,
            play.provision_again,
            play.destroy_again,
        ):
            _run_step(step)
        print("\nLeft out, because the emulator rejects it:")
        _print_reasons(play.left_out())
        print("\nAccepted, but not implemented, or implemented differently:")
        _print_reasons(NOT_IMPLEMENTED)
    print(f"\nrehearsed in {time.monotonic() - began:.0f} s")


def _run_step(step: Callable[[], str | None]) -> None:
    start = time.monotonic()
    print(f"{str(step.__doc__).rstrip('.'):72}", end="", flush=True)
    try:
        result = step()
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f"{time.monotonic() - start:6.1f} s", flush=True)
    if result:
        print(f"  {result}", flush=True)


def _print_reasons(reasons: Mapping[str, str]) -> None:
    for subject, reason in reasons.items():
        print(f"  {subject}: {reason}")


def _print_logs(directory: Path) -> None:
    for log in sorted(directory.glob("*.log")):
        print(f"\n{log.name} ends:", file=sys.stderr)
        for line in log.read_text(errors="replace").splitlines()[-LAST_LINES:]:
            print(f"  {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
