"""The rehearsal: `make rehearse`, or `python -m tests.rehearsal <ministack's Python>`.

What operators run (`provision`, `migrate`, `deploy`, `smoke`, `rollback`, `destroy`) runs here, as
it is, for staging, in an emulated AWS; tests/e2e are the clients of what comes of it.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException

from chalicelib.database import DatabaseError
from infrastructure.failures import Failure
from local.processes import LocalError
from tests.rehearsal.filters import NOT_DONE
from tests.rehearsal.play import Play

KNOWN = (BotoCoreError, ClientError, DatabaseError, Failure, LocalError, OSError, RequestException)
LAST_LINES = 30


def main() -> int:
    """Rehearse; return the exit code. Nothing is left behind, whatever happens."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.rehearsal <ministack's Python>", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="customers-rehearsal-") as name:
        tempfile.tempdir = name  # of all that is made from here on
        directory = Path(name)
        try:
            rehearse(Path(sys.argv[1]), directory)
        except KNOWN as error:
            _tell_logs(directory)
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\ninterrupted; everything is stopped and removed", file=sys.stderr)
            return 130
    return 0


def rehearse(python: Path, directory: Path) -> None:
    """Take each step. Raises one of KNOWN."""
    began = time.monotonic()
    with Play(python, directory) as play:
        for act in (
            play.start_emulator,
            play.provision,
            play.start_database,
            play.migrate,
            play.deploy,
            play.check_roles,
            play.run_e2e_tests,
            play.bear_load,
            play.smoke,
            play.deploy_next_version,
            play.roll_back,
            play.destroy,
        ):
            _take(act)
        print("\nLeft out, as the emulator does not take it:")
        _tell(play.left_out())
        print("\nTaken, but not done, or done otherwise:")
        _tell(NOT_DONE)
    print(f"\nrehearsed in {time.monotonic() - began:.0f} s")


def _take(act: Callable[[], str | None]) -> None:
    start = time.monotonic()
    print(f"{str(act.__doc__).rstrip('.'):72}", end="", flush=True)
    try:
        found = act()
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f"{time.monotonic() - start:6.1f} s", flush=True)
    if found:
        print(f"  {found}", flush=True)


def _tell(reasons: Mapping[str, str]) -> None:
    for what, reason in reasons.items():
        print(f"  {what}: {reason}")


def _tell_logs(directory: Path) -> None:
    for log in sorted(directory.glob("*.log")):
        print(f"\n{log.name} ends:", file=sys.stderr)
        for line in log.read_text(errors="replace").splitlines()[-LAST_LINES:]:
            print(f"  {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
