"""AWS on this machine: runs ministack in a separate process.

The emulator's workers run the functions' packages. Besides those, the workers can import only the
emulator's own packages. These include boto3, like the Lambda runtime, and no package of our layers.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.processes import Child, LocalError, answers, free_port
from local.reaper import signal_group

ACCOUNT = "123456789012"
REGION = "eu-west-1"
# The only variables that the emulator inherits. Others could reach the functions.
INHERITED = ("HOME", "LANG", "PATH")


class Emulator:
    """A running emulator: its address and its log file."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self.url = f"http://127.0.0.1:{port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that direct all AWS clients of a process to the emulator.

        The emulator accepts only this access key.
        """
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }

    def address(self, api: str, stage: str) -> str:
        """Return the base URL of a stage of an API."""
        return f"{self.url}/restapis/{api}/{stage}/_user_request_"


@contextmanager
def running(python: Path, directory: Path) -> Iterator[Emulator]:
    """Run ministack with the Python that has it installed, with all its files in the directory.

    Raises LocalError if it doesn't start or ends early. Ends its workers, too.
    """
    emulator = Emulator(free_port(), directory / "emulator.log")
    environment = _environment(directory / "emulator", emulator.port)
    child = Child("emulator", [str(python), "-P", "-m", "ministack"], emulator.log, environment)
    try:
        child.wait_until(lambda: answers(emulator.port))
        yield emulator
        if child.has_ended:
            raise LocalError(child.obituary())
    finally:
        child.stop()
        while signal_group(child.pid, 0):  # killed, but still exiting
            os.sched_yield()


def _environment(directory: Path, port: int) -> dict[str, str]:
    directory.mkdir()
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(directory),
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        "PYTHONUNBUFFERED": "1",
    }
