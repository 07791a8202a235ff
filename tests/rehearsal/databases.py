"""The stage's clusters: an RDS in memory, whose clusters are database servers on this machine.

A backup is a copy of a server's files, and a restore starts another server from the copy. So a
restored cluster has the rows, the users and the passwords of its backup, as in AWS.
"""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
import trustme

from infrastructure.clusters import Backup
from infrastructure.databases import Login
from local.data_api.address import VERIFIED, Address
from local.database_server import DatabaseServer
from local.processes import free_port
from tests.infrastructure.rds import Item, Rds

DATABASE = "customers"
MASTER = "master"


class Databases(Rds):
    """RDS for the clusters of a stage, with all files in the directory, until `close`.

    `name` is the name of the stage's current cluster.
    """

    def __init__(self, name: str, directory: Path, secrets_manager: Any) -> None:
        super().__init__()
        self._name = name
        self._directory = directory
        self._secrets = secrets_manager
        self._servers: dict[str, DatabaseServer] = {}
        self._backups: list[tuple[datetime, Path]] = []
        self._authority, self._options = _create_certificate(directory)

    def close(self) -> None:
        """Stop all servers."""
        for server in self._servers.values():
            server.stop()

    def create(self, instances: list[str]) -> None:
        """Create the stage's cluster, whose master's password RDS manages."""
        self.add(self._name, *instances)
        self._start(self._name)
        cluster = self.clusters[self._name]
        cluster["MasterUserSecret"] = self._manage_password(cluster)

    def find_server(self, arn: str) -> DatabaseServer | None:
        """Return the server of a cluster whose Data API is enabled."""
        cluster = self.clusters.get(arn.rpartition(":")[2], {})
        return self._server(cluster) if cluster.get("HttpEndpointEnabled") else None

    def address(self, server: DatabaseServer, login: Login) -> Address:
        """Return how a user logs in to a server: with TLS, which all users but one must use."""
        where = ("127.0.0.1", server.port, login.name, login.password, DATABASE)
        return Address(*where, tls=VERIFIED, tls_ca=self._authority)

    def login(self, login: Login) -> Item:
        """Return PyMySQL's arguments for a user of the current cluster."""
        return self.address(self._current, login).login

    def add_database(self) -> str:
        """Create another database on the current cluster's server; return its DATABASE_URL."""
        url = f"{self._current.url}_serve"
        with closing(self._administrator(self._current)) as session:
            session.query(f"CREATE DATABASE {url.rpartition('/')[2]}")
        return url

    def log_in(self, login: Login) -> None:
        """Log in to the current cluster once. Raises pymysql.Error if it rejects the user."""
        pymysql.connect(**self.login(login)).close()

    def url(self, secret: str) -> str:
        """Return the DATABASE_URL of functions that read the secret."""
        location = f"127.0.0.1:{self._current.port}/{DATABASE}"
        return f"mysql://{location}?secret={secret}&tls_ca={self._authority}"

    def disconnect(self, user: str) -> int:
        """Close the connections of a user to the current cluster; return their number."""
        ids = "SELECT id FROM information_schema.processlist WHERE user = %s"
        with closing(self._administrator(self._current)) as session:
            cursor = session.cursor()
            cursor.execute(ids, user)
            found = [int(row[0]) for row in cursor.fetchall()]
            for number in found:
                cursor.execute(f"KILL {number}")
        return len(found)

    @contextmanager
    def attached(self, events: Any) -> Iterator[None]:
        """Respond to the calls of clients that a session creates until `with` ends."""
        self.attach(events)
        try:
            yield
        finally:
            self.detach(events)

    def hold(self, table: str) -> "pymysql.Connection[Any]":
        """Return a transaction that has read a table: changes of the table wait for its end."""
        session = self._administrator(self._current)
        session.query("BEGIN")
        session.query(f"SELECT COUNT(*) FROM {table}")
        return session

    def back_up(self) -> Backup:
        """Copy the current cluster. AWS does so without a pause; this server restarts."""
        server, copy = self._current, self._directory / f"backup-{len(self._backups)}"
        server.stop()
        shutil.copytree(server.directory, copy)
        server.start()
        self._backups.append((datetime.now(UTC), copy))
        return Backup(time=self._backups[-1][0])

    @property
    def plugin(self) -> str:
        """The plugin that identifies the current cluster's master by its password."""
        with closing(self._administrator(self._current)) as session:
            cursor = session.cursor()
            cursor.execute("SELECT plugin FROM mysql.user WHERE user = %s", MASTER)
            return str(cursor.fetchone()[0])

    @property
    def _current(self) -> DatabaseServer:
        return self._server(self.clusters[self._name])

    def _server(self, cluster: Item) -> DatabaseServer:
        return self._servers[cluster["Origin"]]

    def _restore_db_cluster_to_point_in_time(self, **params: Any) -> Item:
        response = super()._restore_db_cluster_to_point_in_time(**params)
        until = params["RestoreToTime"]
        (*_, copy) = [copy for time, copy in self._backups if time <= until]
        self._start(params["DBClusterIdentifier"], copy)
        return response

    def _describe_db_clusters(self, DBClusterIdentifier: str) -> Item:  # noqa: N803
        found = super()._describe_db_clusters(DBClusterIdentifier)
        found["DBClusters"][0]["DBClusterMembers"] = [
            {"DBInstanceIdentifier": name} for name in self._members(DBClusterIdentifier)
        ]
        return found

    def _delete_db_instance(self, DBInstanceIdentifier: str) -> Item:  # noqa: N803
        return {"DBInstance": self.instances.pop(DBInstanceIdentifier)}

    def _delete_db_cluster(self, **params: Any) -> Item:
        name = params["DBClusterIdentifier"]
        if self._members(name):
            raise KeyError("InvalidDBClusterStateFault")
        cluster = self.clusters.pop(name)
        self._server(cluster).stop()
        return {"DBCluster": cluster}

    def _members(self, cluster: str) -> list[str]:
        instances = self.instances.items()
        return [name for name, item in instances if item["DBClusterIdentifier"] == cluster]

    def _manage_password(self, cluster: Item) -> Item:
        login = Login(MASTER, secrets.token_hex(20))
        self._set_password(self._server(cluster), login)
        secret = self._secrets.create_secret(
            Name=f"rds!{cluster['Origin']}",
            SecretString=json.dumps({"username": login.name, "password": login.password}),
        )
        return {"SecretArn": secret["ARN"], "SecretStatus": "active"}

    def _start(self, origin: str, backup: Path | None = None) -> None:
        directory = self._directory / origin / "server"
        if backup:
            shutil.copytree(backup, directory)
        self._servers[origin] = DatabaseServer(directory, free_port(), self._options)
        self._servers[origin].start()

    def _set_password(self, server: DatabaseServer, login: Login) -> None:
        user = f"'{login.name}'@'%'"
        with closing(self._administrator(server)) as session:
            cursor = session.cursor()
            cursor.execute(f"CREATE USER IF NOT EXISTS {user}")
            cursor.execute(f"ALTER USER {user} IDENTIFIED BY '{login.password}'")
            cursor.execute(f"GRANT ALL PRIVILEGES ON *.* TO {user} WITH GRANT OPTION")

    def _administrator(self, server: DatabaseServer) -> "pymysql.Connection[Any]":
        socket = str(server.directory / "data" / "server.sock")
        user = server.engine.administrator
        return pymysql.connect(unix_socket=socket, user=user, database=DATABASE)


def _create_certificate(directory: Path) -> tuple[str, dict[str, str]]:
    """Return an authority's file, and the options of a server with its certificate."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, key, chain = (str(directory / f"{name}.pem") for name in ("ca", "key", "chain"))
    authority.cert_pem.write_to_path(ca)
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    return ca, {"ssl-key": key, "ssl-cert": chain}
