"""Stand-ins for the backends mysql and mysql_password: the package, the proxy and the database.

A deployment with another backend changes only the template and the parameters. So it reuses the
archives of the latest package, because packaging takes half a minute.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pymysql
import trustme
from botocore.credentials import Credentials

from chalicelib.database.address import Address
from infrastructure import gateway, packaging, template
from infrastructure.rotation import accounts
from infrastructure.stages import Stage
from local.database_server import DatabaseServer
from local.processes import free_port
from tests import rds_proxy
from tests.rehearsal import emulator

JSONObject = dict[str, Any]

USER = "functions"
PASSWORD = "f" * 32  # only the proxy knows it; in AWS, the proxy has a token, too
USER_ARN = f"arn:aws:rds-db:{emulator.REGION}:{emulator.ACCOUNT}:dbuser:prx-rehearsal/{USER}"
KEY = Credentials(emulator.ACCOUNT, "test")
"""The emulator gives all functions this key."""
NATIVE = "mysql_native_password"


class Packages:
    """The latest package, whose template can be completed again for another backend."""

    def __init__(self) -> None:
        self._chalices: JSONObject = {}

    def recorded(self) -> AbstractContextManager[Any]:
        """Record Chalice's template of each package that is built."""
        complete = template.complete

        def record(packaged: JSONObject, stage: Stage, document: JSONObject) -> JSONObject:
            self._chalices = deepcopy(packaged)
            return complete(packaged, stage, document)

        return patch.object(template, "complete", record)

    def reused(self) -> AbstractContextManager[Any]:
        """Use the archives of the latest package again."""

        def build(stage: Stage, out: Path, _: object) -> None:
            document = gateway.document(stage)
            made = template.complete(deepcopy(self._chalices), stage, document)
            (out / "sam.json").write_text(json.dumps(made))
            packaging._set_release(out)

        return patch.object(packaging, "build", build)


class Database(DatabaseServer):
    """MariaDB with TLS, which all users of a stage but the master must use."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self.authority = directory / "database-authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert("127.0.0.1")
        key, chain = directory / "database-key.pem", directory / "database-chain.pem"
        certificate.private_key_pem.write_to_path(key)
        certificate.cert_chain_pems[0].write_to_path(chain)
        options = {"ssl-key": str(key), "ssl-cert": str(chain)}
        super().__init__(directory / "database", free_port(), options)

    def url_with(self, secret: str) -> str:
        """Return the DATABASE_URL of functions that read the secret."""
        place = f"127.0.0.1:{self.port}/customers"
        return f"mysql://{place}?secret={secret}&tls_ca={self.authority}"

    def login_of_proxy(self) -> dict[str, Any]:
        place = f"127.0.0.1:{self.port}/customers"
        url = f"mysql://{USER}:{PASSWORD}@{place}?tls_ca={self.authority}"
        return Address.parse(url).login

    def disconnect(self, user: str) -> int:
        """Close the user's connections; return their number."""
        with self.administrator() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", user)
            ids = [int(row[0]) for row in cursor.fetchall()]
            for number in ids:
                cursor.execute(f"KILL {number}")
        return len(ids)

    @contextmanager
    def administrator(self) -> Iterator[Any]:
        path = str(self.directory / "data" / "server.sock")
        with pymysql.connect(unix_socket=path, user=self.engine.administrator) as connection:
            yield connection.cursor()


def proxy(directory: Path, database: Database) -> AbstractContextManager[rds_proxy.Proxy]:
    """Listen like RDS Proxy for the functions' user."""
    return rds_proxy.listening(directory, USER, KEY, emulator.REGION, database.login_of_proxy())


def with_password_for_iam() -> AbstractContextManager[Any]:
    """Let `migrate` create the functions' user with a password: MariaDB has no plugin of AWS."""
    identity = f"{NATIVE} AS '{accounts.hash_for(NATIVE, PASSWORD)}'"
    return patch.object(accounts, "IAM", identity)
