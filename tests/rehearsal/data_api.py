"""The Data API of the stage's clusters: our server, which logs in with the secret of each call.

As in AWS, a call names a cluster and a secret. The user of the secret runs the statement. A changed
secret is used after a second, because AWS may cache secrets, too.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from infrastructure.databases import Login
from local.data_api.errors import (
    DataApiError,
    HttpEndpointNotEnabledException,
    SecretsErrorException,
)
from local.data_api.server import App, create_app, error_response
from local.data_api.service import Limits, Service
from local.database_server import DatabaseServer
from tests.rehearsal.databases import Databases

CACHE_SECONDS = 1.0
KEEP_ALIVE = 75  # seconds, longer than clients keep idle connections
LIMITS = {"migrations": Limits(statement=6)}
"""The user of migrations has less time than AWS's 45 s, so that a long change lasts seconds."""


class DataApi:
    """The ASGI application: gives each call to the server of its cluster and its user."""

    def __init__(self, databases: Databases, secrets_manager: Any) -> None:
        self._databases = databases
        self._secrets = secrets_manager
        self._logins: dict[str, tuple[Login, float]] = {}
        self._services: dict[tuple[int, Login], Service] = {}
        self.users: dict[str, str] = {}
        """The user of the last call with each secret."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()

        async def again() -> Message:
            return {"type": "http.request", "body": body}

        try:
            app = await self._find(json.loads(body))
        except DataApiError as error:
            await error_response(error)(scope, receive, send)
        else:
            await app(scope, again, send)

    def close(self) -> None:
        """End all calls and transactions."""
        for service in self._services.values():
            service.close()

    async def _find(self, fields: dict[str, str]) -> App:
        """Return the application for a call. Raises DataApiError."""
        server = self._databases.find_server(fields["resourceArn"])
        if server is None:
            raise HttpEndpointNotEnabledException(
                f"HttpEndpoint is not enabled for resource {fields['resourceArn']}"
            )
        login = await asyncio.to_thread(self.login, fields["secretArn"])
        self.users[fields["secretArn"]] = login.name
        return create_app(self._service(server, login))

    def _service(self, server: DatabaseServer, login: Login) -> Service:
        key = (server.port, login)
        if key not in self._services:
            address = self._databases.address(server, login)
            self._services[key] = Service(address, LIMITS.get(login.name, Limits()))
        return self._services[key]

    def login(self, arn: str) -> Login:
        """Return the user of a secret. Raises SecretsErrorException if there is no such secret."""
        login, expires = self._logins.get(arn, (None, 0.0))
        if login is None or time.monotonic() > expires:
            try:
                secret = self._secrets.get_secret_value(SecretId=arn)["SecretString"]
            except ClientError as error:
                raise SecretsErrorException(f"Error fetching secret {arn} : {error}") from None
            login = Login.parse(secret, arn)
            self._logins[arn] = login, time.monotonic() + CACHE_SECONDS
        return login


@contextmanager
def serving(application: DataApi, port: int) -> Iterator[None]:
    """Serve the application on a port of this machine until `with` ends."""
    config = uvicorn.Config(
        application,
        port=port,
        log_level="warning",
        access_log=False,
        ws="none",
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        application.close()
