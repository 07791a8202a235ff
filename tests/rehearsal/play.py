"""The acts of the rehearsal, in their order; the docstring of each is what is told of it."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import boto3
import pymysql

from app import SCOPES
from infrastructure import applying, commands
from infrastructure.run import Run
from infrastructure.stages import STAGES
from local.database_server import DatabaseServer
from local.processes import Child, answers, free_port
from tests import tokens
from tests.rehearsal import checks, emulator, front
from tests.rehearsal.filters import Filter
from tests.rehearsal.traffic import Traffic

STAGE = STAGES["staging"]
BUCKET = "rehearsal"
READY_SECONDS = 20.0
REQUESTS_AFTER = 50
SECRETS = ("ApplicationSecretArn", "MigrationsSecretArn", "MasterSecretArn")


class Play:
    """A stage in an emulated AWS, with all of its files in the directory, to the end of `with`."""

    def __init__(self, python: Path, directory: Path) -> None:
        self._python = python
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
        self._aws = self._exit.enter_context(emulator.running(self._python, self._directory))
        for name in [name for name in os.environ if name.startswith(("AWS_", "DATABASE_"))]:
            del os.environ[name]
        os.environ |= self._aws.environment | {"AWS_ENDPOINT_URL_RDS_DATA": self._data_api_url}
        session = boto3.Session()
        self._filter.attach(session)
        where = {"LocationConstraint": emulator.REGION}
        session.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
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
        database_server = DatabaseServer(self._directory / "database", free_port())
        self._exit.callback(database_server.stop)
        database_server.start()
        _may_make_users(database_server)
        outputs = self._run.outputs("database")
        known = ["--resource-arn", outputs["ClusterArn"]]
        for name in SECRETS:
            known += ["--secret-arn", outputs[name]]
        server = self._child(
            "data-api",
            ["local.data_api", "--port", str(self._data_api), *known],
            DATABASE_URL=database_server.url,
        )
        server.wait_until(lambda: answers(self._data_api), READY_SECONDS)

    def migrate(self) -> None:
        """`migrate`: the database's users and schema."""
        commands.migrate(self._run)

    def deploy(self) -> None:
        """`package` and `deploy`: the API's first version."""
        self._deploy()
        api = self._run.outputs("api")["RestAPIId"]
        address = self._aws.address(api, STAGE.name)
        self._url = self._exit.enter_context(front.listening(address, STAGE.name))
        self._first = Traffic(self._url, self._token).version()

    def check_roles(self) -> None:
        """Ask what each function's role may do."""
        checks.check_roles(self._run)

    def run_e2e_tests(self) -> str:
        """Run all of tests/e2e against its URL."""
        tests = self._child("e2e", ["pytest", *E2E], BASE_URL=self._url, TOKEN=self._token)
        tests.finish()
        return tests.log.read_text().splitlines()[-1]

    def bear_load(self) -> str:
        """Hold the marks of `make load`, shortly."""
        there = {"BASE_URL": self._url, "TOKEN": self._token}
        load = self._child("load", ["load.traffic", *LOAD], **there)
        load.finish()
        lines = load.log.read_text().splitlines()
        return next(line for line in lines if line.startswith("| steady "))

    def smoke(self) -> None:
        """`smoke`: a customer's life."""
        commands.live(replace(self._run, url=self._url, token=lambda: self._token))

    def deploy_next_version(self) -> str:
        """`deploy` of the next version, while clients send requests."""
        source = self._directory / "next"
        source.mkdir()
        with checks.next_version(source):
            return self._change(self._deploy, self._first, self._first + checks.MARK, 1)

    def roll_back(self) -> str:
        """`rollback` to the first version, while clients send requests."""
        return self._change(self._roll_back, self._first + checks.MARK, self._first, -1)

    def destroy(self) -> None:
        """`destroy`: every stack."""
        commands.destroy(self._run)
        left = [part for part in commands.PARTS if self._run.stack(part).status not in GONE]
        checks.expect("the stacks that are left", left, [])

    def left_out(self) -> dict[str, str]:
        """Return what the emulator did not get to see, each with the reason."""
        return self._filter.left_out

    @property
    def _data_api_url(self) -> str:
        return f"http://127.0.0.1:{self._data_api}"

    def _change(self, move: Callable[[], None], old: str, new: str, by: int) -> str:
        """Move clients from one version to another. Raises Failure if one of them noticed."""
        wanted = {name: version + by for name, version in checks.live_versions(self._run).items()}
        traffic = Traffic(self._url, self._token)
        with traffic.flowing():
            traffic.await_version(old)
            move()
            traffic.await_version(new)
            traffic.await_requests(REQUESTS_AFTER)
        traffic.check([old, new])
        checks.expect("the versions that are live", checks.live_versions(self._run), wanted)
        return f"{traffic.count} requests, none failed; {old} until {new}"

    def _roll_back(self) -> None:
        commands.rollback(self._run)

    def _deploy(self) -> None:
        values = {
            "TokenIssuer": tokens.issuer().url,
            "TokenAudience": "customers",
            "DataApiEndpoint": self._data_api_url,
        }
        commands.deploy(replace(self._run, values=values))
        self._apply()

    def _apply(self) -> None:
        """Put the gateway document onto the API: the emulator reads none of it in the template."""
        document = json.loads((commands.OUT / STAGE.name / "gateway.json").read_text())
        api = self._run.outputs("api")["RestAPIId"]
        log = self._run.outputs("operations")["AccessLogGroupArn"]
        client = self._run.session.client("apigateway")
        applying.apply(applying.Gateway(client, api, self._run.say), STAGE.name, document, log)

    def _child(self, name: str, module: list[str], **more: str) -> Child:
        child = Child(
            name,
            [sys.executable, "-m", *module],
            self._directory / f"{name}.log",
            {**os.environ, "TMPDIR": str(self._directory), "PYTHONDONTWRITEBYTECODE": "1", **more},
        )
        return self._exit.enter_context(child)


# A function of the emulator has few processes: what counts here is that all is answered rightly.
LOAD = "--rate 4 --ramp 3 --steady 9 --spike 0 --customers 20 --limit 2000".split()
E2E = ["tests/e2e", "--quiet", "-p", "no:cacheprovider"]
GONE = {None, "DELETE_COMPLETE"}


def _may_make_users(database_server: DatabaseServer) -> None:
    """Let the Data API server's user make others, as Aurora's master user may."""
    socket = str(database_server.directory / "data" / "server.sock")
    with pymysql.connect(
        unix_socket=socket, user=database_server.engine.administrator
    ) as connection:
        grant = "GRANT ALL PRIVILEGES ON *.* TO 'customers'@'127.0.0.1' WITH GRANT OPTION"
        connection.cursor().execute(grant)
