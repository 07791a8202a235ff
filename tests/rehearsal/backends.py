"""Stand-ins for the backends mysql and mysql_password: the package and the proxy.

A deployment with another backend changes only the template and the parameters. So it reuses the
archives of the latest package, because packaging takes half a minute.
"""

import json
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.credentials import Credentials

from infrastructure import gateway, packaging, template
from infrastructure.databases import Login
from infrastructure.rotation import accounts
from infrastructure.stages import Stage
from tests import rds_proxy
from tests.rehearsal import emulator
from tests.rehearsal.databases import Databases

JSONObject = dict[str, Any]

USER = "functions"
PASSWORD = "f" * 32  # only the proxy knows it; in AWS, the proxy has a token, too
USER_ARN = f"arn:aws:rds-db:{emulator.REGION}:{emulator.ACCOUNT}:dbuser:prx-rehearsal/{USER}"
KEY = Credentials(emulator.ACCOUNT, "test")
"""The emulator gives all functions this key."""


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


def proxy(directory: Path, databases: Databases) -> AbstractContextManager[rds_proxy.Proxy]:
    """Listen like RDS Proxy for the functions' user, in front of the current cluster."""
    login = databases.login(Login(USER, PASSWORD))
    return rds_proxy.listening(directory, USER, KEY, emulator.REGION, login)


def with_password_for_iam(databases: Databases) -> AbstractContextManager[Any]:
    """Let `migrate` create the functions' user with a password: the server has no plugin of AWS."""
    plugin = databases.plugin
    identity = f"{plugin} AS '{accounts.hash_for(plugin, PASSWORD)}'"
    return patch.object(accounts, "IAM", identity)
