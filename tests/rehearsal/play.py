"""The acts of the rehearsal, in their order; the docstring of each is what is told of it."""

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import boto3
import pymysql

from chalicelib.auth import SCOPES
from infrastructure import commands
from infrastructure.commands import Run
from infrastructure.failures import Failure
from infrastructure.stages import STAGES
from local.mariadb import MariaDB
from local.processes import Child, answers, free_port
from tests import tokens
from tests.rehearsal import checks, emulator, front
from tests.rehearsal.filters import NOT_DONE, Filter
from tests.rehearsal.traffic import Traffic

STAGE = STAGES["staging"]
BUCKET = "rehearsal"
READY_SECONDS = 20.0
SECRETS = ("ApplicationSecretArn", "MigrationsSecretArn", "MasterSecretArn")


class Play:
    """A stage in an emulated AWS, with all of its files in the directory, to the end of `with`."""

    def __init__(self, program: Path, directory: Path) -> None:
        self._program = program
        self._directory = directory
        self._exit = ExitStack()
        self._filter = Filter()
        self._data_api = free_port()
        self._token = tokens.token(*SCOPES)
        commands.OUT = directory / "out"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def start_emulator(self) -> None:
        """Start the emulated AWS."""
        self._aws = self._exit.enter_context(emulator.running(self._program, self._directory))
        for name in [name for name in os.environ if name.startswith(("AWS_", "DATABASE_"))]:
            del os.environ[name]
        os.environ |= self._aws.environment | {"AWS_ENDPOINT_URL_RDS_DATA": self._data_api_url}
        session = boto3.Session()
        self._filter.attach(session)
        where = {"LocationConstraint": emulator.REGION}
        session.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)  # type: ignore[call-overload]
        told = self._exit.enter_context((self._directory / "commands.log").open("w", buffering=1))
        self._run = Run(
            session,
            STAGE,
            is_agreed=True,
            bucket=BUCKET,
            say=lambda line: print(line, file=told),
        )

    def provision(self) -> None:
        """`provision`: network, database, operations."""
        commands.provision(self._run)

    def start_database(self) -> None:
        """Start MariaDB and the Data API server for that cluster and its secrets."""
        mariadb = MariaDB(self._directory / "mariadb", free_port())
        self._exit.callback(mariadb.stop)
        mariadb.start()
        _may_make_users(mariadb)
        outputs = self._run.outputs("database")
        known = ["--resource-arn", outputs["ClusterArn"]]
        for name in SECRETS:
            known += ["--secret-arn", outputs[name]]
        server = self._child(
            "data-api",
            ["local.data_api", "--port", str(self._data_api), *known],
            DATABASE_URL=mariadb.url,
        )
        server.wait_until(lambda: answers(self._data_api), READY_SECONDS)

    def migrate(self) -> None:
        """`migrate`: the database's users and schema."""
        commands.migrate(self._run)

    def deploy(self) -> None:
        """`package` and `deploy`: the API's first version."""
        commands.deploy(replace(self._run, values=self._values()))
        api = self._run.outputs("api")["RestAPIId"]
        address = self._aws.address(api, STAGE.name)
        self._url = self._exit.enter_context(front.listening(address, STAGE.name))
        self._first = Traffic(self._url, self._token).version()

    def check_roles(self) -> None:
        """What each function's role may do."""
        checks.check_roles(self._run)

    def run_e2e_tests(self) -> None:
        """tests/e2e against its URL."""
        self._child("e2e", ["pytest", *E2E], BASE_URL=self._url, TOKEN=self._token).finish()

    def smoke(self) -> None:
        """`smoke`: a customer's life."""
        commands.test(replace(self._run, url=self._url, token=lambda: self._token))

    def deploy_next_version(self) -> None:
        """`deploy` of the next version, under traffic."""
        before = checks.live_versions(self._run)
        source = self._directory / "next"
        source.mkdir()
        traffic = Traffic(self._url, self._token)
        with checks.next_version(source), traffic.flowing():
            commands.deploy(replace(self._run, values=self._values()))
            traffic.await_version(self._first + checks.MARK)
        traffic.check([self._first, self._first + checks.MARK])
        moved = {name: version + 1 for name, version in before.items()}
        checks.expect("live after the second deployment", checks.live_versions(self._run), moved)

    def roll_back(self) -> None:
        """`rollback` to the first version, under traffic."""
        after = {name: version - 1 for name, version in checks.live_versions(self._run).items()}
        traffic = Traffic(self._url, self._token)
        with traffic.flowing():
            commands.rollback(self._run)
            traffic.await_version(self._first)
        traffic.check([self._first + checks.MARK, self._first])
        checks.expect("live after the rollback", checks.live_versions(self._run), after)

    def destroy(self) -> None:
        """`destroy`: every stack."""
        commands.destroy(self._run)
        for part in commands.PARTS:
            checks.expect(STAGE.stack(part), self._run.stack(part).status in GONE, wanted=True)

    def left_out(self) -> dict[str, str]:
        """Return what the emulator did not get to see, and which tests, each with the reason."""
        return self._filter.left_out | dict.fromkeys(_gateway_tests(), NO_GATEWAY_RESPONSES)

    def not_done(self) -> dict[str, str]:
        """Return what the emulator takes and does not do as AWS does, each with what that hides."""
        return dict(NOT_DONE)

    @property
    def _data_api_url(self) -> str:
        return f"http://127.0.0.1:{self._data_api}"

    def _values(self) -> dict[str, str]:
        return {
            "TokenIssuer": tokens.issuer().url,
            "TokenAudience": "customers",
            "DataApiEndpoint": self._data_api_url,
        }

    def _child(self, name: str, module: list[str], **more: str) -> Child:
        child = Child(
            name,
            [sys.executable, "-m", *module],
            self._directory / f"{name}.log",
            {**os.environ, "TMPDIR": str(self._directory), "PYTHONDONTWRITEBYTECODE": "1", **more},
        )
        return self._exit.enter_context(child)


E2E = ["tests/e2e", "--quiet", "-p", "no:cacheprovider", "-m", "not gateway"]
NO_GATEWAY_RESPONSES = "the emulator ignores gateway responses, and answers in words of its own"
GONE = {None, "DELETE_COMPLETE"}


def _may_make_users(mariadb: MariaDB) -> None:
    """Let the Data API server's user make others, as Aurora's master user may."""
    socket = str(mariadb.directory / "data" / "server.sock")
    with pymysql.connect(unix_socket=socket, user="root") as connection:
        grant = "GRANT ALL PRIVILEGES ON *.* TO 'customers'@'127.0.0.1' WITH GRANT OPTION"
        connection.cursor().execute(grant)


def _gateway_tests() -> list[str]:
    command = [sys.executable, "-m", "pytest", "tests/e2e", "--collect-only", "--quiet"]
    options = ["-p", "no:cacheprovider", "-m", "gateway"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    if done.returncode or not found:
        raise Failure(f"The tests marked `gateway` can't be listed: {done.stdout}{done.stderr}")
    return found
