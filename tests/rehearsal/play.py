"""The steps of the rehearsal, in order. The rehearsal prints each step's docstring."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import boto3

from app import SCOPES
from infrastructure import applying, checking, clusters, commands
from infrastructure.run import Run
from infrastructure.smoke import Client
from infrastructure.stages import STAGES
from local.processes import Child, free_port
from tests import tokens
from tests.rehearsal import backends, checks, emulator, front
from tests.rehearsal.consumer import Consumer
from tests.rehearsal.data_api import DataApi, serving
from tests.rehearsal.databases import Databases
from tests.rehearsal.drill import Drill
from tests.rehearsal.filters import Filter
from tests.rehearsal.long_change import LongChange
from tests.rehearsal.moving import Move
from tests.rehearsal.traffic import Traffic, wait_for

STAGE = STAGES["staging"]
BUCKET = "rehearsal"
CLUSTER = f"customers-{STAGE.name}"
REQUESTS_AFTER = 50


class Play:
    """A stage in an emulated AWS, with all its files in the directory, until `with` ends."""

    def __init__(self, python: Path, directory: Path) -> None:
        self._python = python
        self._directory = directory
        self._exit = ExitStack()
        self._filter = Filter()
        self._port = free_port()
        self._token = tokens.token(*SCOPES)
        self._packages = backends.Packages()
        self._exit.enter_context(self._packages.recorded())
        commands.OUT = directory / "out"
        clusters.PAUSE_SECONDS = 0

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
        log = self._exit.enter_context((self._directory / "commands.log").open("w", buffering=1))
        self._run = Run(
            session,
            STAGE,
            is_agreed=True,
            bucket=BUCKET,
            say=lambda line: print(line, file=log),
        )

    def check(self) -> str:
        """`check`: a new account lacks the role for logs, and the stage an issuer."""
        found = checking.find(self._run, checking.ALL)
        checks.expect("the findings", [finding.what.split()[0] for finding in found], MISSING)
        value = f"arn:aws:iam::{emulator.ACCOUNT}:role/api-gateway-logs"
        patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": value}
        self._run.session.client("apigateway").update_account(patchOperations=[patch])
        return "; ".join(finding.what for finding in found)

    def provision(self) -> None:
        """`provision`: network, database, audit trail, event bus, operations, dashboard."""
        commands.provision(self._run)

    def start_database(self) -> str:
        """Start the cluster's database server, and the Data API."""
        secrets = self._run.session.client("secretsmanager")
        self._databases = Databases(CLUSTER, self._directory, secrets)
        self._exit.callback(self._databases.close)
        resources = self._run.stack("database").resources()
        instances = [name for kind, _, name in resources if kind == "AWS::RDS::DBInstance"]
        self._databases.create(instances)
        self._databases.attach(self._run.session.events)
        self._data_api = DataApi(self._databases, secrets)
        self._exit.enter_context(serving(self._data_api, self._port))
        return f"{CLUSTER}, with the instance {instances[0]}"

    def migrate(self) -> str:
        """`migrate`: users and schema, with a change that is longer than its call."""
        change = LongChange(self._databases, self._run.say)
        commands.migrate(replace(self._run, say=change.say))
        checks.expect("whether the long change was applied", change.is_applied, wanted=True)
        return change.progress

    def finish(self) -> None:
        """`finish`: the data steps of the migrations."""
        commands.finish(self._run)

    def deploy(self) -> None:
        """`package` and `deploy`: the API's first version."""
        self._deploy()
        api = self._run.outputs("api")["RestAPIId"]
        address = self._aws.address(api, STAGE.name)
        self._url = self._exit.enter_context(front.listening(address, STAGE.name))
        self._first = Traffic(self._url, self._token).version()

    def check_roles(self) -> None:
        """Check the permissions of each function's role."""
        checks.check_roles(self._run)

    def begin_events(self) -> None:
        """Run the relay for the first time, and add a consumer to the bus."""
        self._consumer = Consumer(self._run)
        self._consumer.relay()

    def prepare_move(self) -> str:
        """Create, change, delete, restore and erase customers."""
        run = replace(self._run, url=self._url)
        self._move = Move(run, self._token, self._child)
        return self._move.prepare()

    def move(self) -> str:
        """`python -m serve pull`, and `push`: every customer stays the same."""
        return self._move.move(self._databases.add_database())

    def receive_events(self) -> str:
        """Run the relay: the consumer gets valid events, in order."""
        received = self._consumer.check()
        self._consumer.leave()
        return received

    def run_e2e_tests(self) -> str:
        """Run tests/e2e against the stage's URL."""
        tests = self._child("e2e", ["pytest", *E2E], BASE_URL=self._url, TOKEN=self._token)
        tests.finish()
        return tests.log.read_text().splitlines()[-1]

    def run_load_test(self) -> str:
        """Meet the thresholds of `make load` for a short time."""
        target = {"BASE_URL": self._url, "TOKEN": self._token}
        load = self._child("load", ["load.traffic", *LOAD], **target)
        load.finish()
        lines = load.log.read_text().splitlines()
        return next(line for line in lines if line.startswith("| steady "))

    def smoke(self) -> None:
        """`smoke`: a customer's lifecycle."""
        self._smoke(self._run)

    def deploy_next_version(self) -> str:
        """`deploy` of the next version, while clients send requests."""
        source = self._directory / "next"
        source.mkdir()
        with checks.next_version(source):
            return self._change(self._deploy, self._first, self._first + checks.MARK, 1)

    def roll_back(self) -> str:
        """`rollback` to the first version, while clients send requests."""
        back = partial(commands.rollback, self._run)
        return self._change(back, self._first + checks.MARK, self._first, -1)

    def rotate(self) -> str:
        """`rotate`: another password, while clients send requests."""
        secret = self._run.outputs("database")["ApplicationSecretArn"]
        before, users = self._data_api.login(secret), self._data_api.users

        def rotate() -> None:
            commands.rotate(self._run)
            problem = f"{before.name} is still used"
            wait_for(lambda: users.get(secret, before.name) != before.name, problem)

        result = self._under_traffic(rotate, [self._first])
        self._databases.log_in(before)  # as a client with an old secret would
        return f"{result}; {before.name} until {users[secret]}"

    def damage(self) -> str:
        """Back up, then delete and erase customers, and change the password."""
        self._drill = Drill(self._run, self._databases, Client(self._url, self._token))
        return self._drill.damage()

    def restore(self) -> str:
        """`restore --to`: the backup beside the database, while clients send requests."""
        requests = self._under_traffic(self._drill.restore, [self._first])
        return f"{requests}; {self._drill.restored}"

    def switch(self) -> str:
        """`restore --switch`: the lost customers are back."""
        return self._drill.switch()

    def switch_back(self) -> str:
        """`restore --back`: as before the switch."""
        return self._drill.switch_back()

    def clean_up(self) -> str:
        """Delete the restored cluster, with the calls of docs/restoring.md."""
        deleted = self._drill.clean_up()
        self._databases.detach(self._run.session.events)
        return deleted

    def use_iam(self) -> str:
        """Change the backend to mysql: `provision`, `migrate`, `deploy`, `smoke`."""
        proxy = self._exit.enter_context(backends.proxy(self._directory, self._databases))
        with backends.with_password_for_iam(self._databases):
            self._change_backend("mysql", proxy.url)
        checks.expect("logins with a token", proxy.accepted > 0, wanted=True)
        return f"{proxy.accepted} logins with a token"

    def use_password(self) -> str:
        """Repeat this with mysql_password: no IAM; then `rotate`."""
        secret = self._run.outputs("database")["ApplicationSecretArn"]
        run = self._change_backend("mysql_password", self._databases.url(secret))
        before = self._data_api.login(secret).name
        connections = [self._databases.disconnect(before)]
        with self._databases.attached(run.session.events):
            commands.rotate(run)
        self._smoke(run)
        (after,) = APPLICATION_USERS - {before}
        connections.append(self._databases.disconnect(after))
        checks.expect("users without a connection", connections.count(0), 0)
        return f"{connections[0]} connections of {before}, then {connections[1]} of {after}"

    def destroy(self) -> str:
        """`destroy`: every stack except the audit trail."""
        commands.destroy(self._run)
        left = [part for part in commands.PARTS if self._run.stack(part).status not in GONE]
        checks.expect("the remaining stacks", left, ["audit"])
        return "the audit trail remains"

    def provision_again(self) -> str:
        """`provision` again: the logs of the destroyed stage still exist."""
        logs = self._run.session.client("logs")
        kept = {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}
        checks.expect("the retained logs", sorted(kept & set(RETAINED)), RETAINED)
        commands.provision(self._run)
        return f"{len(RETAINED)} log groups were in place"

    def destroy_again(self) -> str:
        """`destroy` again: every stack except the audit trail."""
        return self.destroy()

    def left_out(self) -> dict[str, str]:
        """Return what the rehearsal removed from the templates, with the reasons."""
        return self._filter.left_out

    @property
    def _data_api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _change(self, move: Callable[[], None], old: str, new: str, by: int) -> str:
        """Move clients from one version to another. Raises Failure if a request fails."""
        wanted = {name: version + by for name, version in checks.live_versions(self._run).items()}
        result = self._under_traffic(move, [old, new])
        checks.expect("the live versions", checks.live_versions(self._run), wanted)
        return f"{result}; {old} until {new}"

    def _under_traffic(self, act: Callable[[], object], versions: list[str]) -> str:
        """Act while clients send requests, which these versions must serve, in this order.

        Raises Failure if a request fails.
        """
        traffic = Traffic(self._url, self._token)
        with traffic.flowing():
            traffic.await_version(versions[0])
            act()
            traffic.await_version(versions[-1])
            traffic.await_requests(REQUESTS_AFTER)
        traffic.check(versions)
        return f"{traffic.count} requests, none failed"

    def _change_backend(self, backend: str, url: str) -> Run:
        """Change the backend of the stage as an operator does; return the stage's commands."""
        self._filter.stand_ins |= {"DatabaseUrl": url, "DatabaseUserArn": backends.USER_ARN}
        run = replace(self._run, stage=replace(STAGE, backend=backend))
        commands.provision(run)
        with self._databases.attached(run.session.events):
            commands.migrate(run)
        with self._packages.reused():
            self._deploy(run)
        checks.check_roles(run)
        self._smoke(run)
        return run

    def _smoke(self, run: Run) -> None:
        commands.live(replace(run, url=self._url, token=lambda: self._token))

    def _deploy(self, run: Run | None = None) -> None:
        values = {
            "TokenIssuer": tokens.issuer().url,
            "TokenAudience": "customers",
            "DataApiEndpoint": self._data_api_url,
        }
        commands.deploy(replace(run or self._run, values=values))
        self._apply()

    def _apply(self) -> None:
        """Apply the gateway document to the API: the emulator ignores it in the template."""
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


# The emulator runs few processes per function, so the load is low. Correct responses count here,
# not their time: no response takes longer than the client waits.
LOAD = "--rate 4 --ramp 3 --steady 9 --spike 0 --customers 20 --limit 60000".split()
E2E = ["tests/e2e", "-m", "not encoded", "--quiet", "-p", "no:cacheprovider"]
MISSING = ["API", "TOKEN_ISSUER"]  # how the findings begin
RETAINED = [
    f"/aws/rds/cluster/customers-{STAGE.name}/audit",
    f"/aws/rds/cluster/customers-{STAGE.name}/error",
    f"/customers/{STAGE.name}/access",
]
GONE = {None, "DELETE_COMPLETE"}
APPLICATION_USERS = {"application", "application_clone"}
"""The users that `rotate` alternates."""
