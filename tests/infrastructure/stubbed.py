"""AWS's APIs, answered by botocore's Stubber, which checks each call against AWS's model."""

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.stub import Stubber

from infrastructure.stages import STAGES

DEV = STAGES["dev"]


class Aws:
    """A session whose clients respond with what the test says, and with nothing else."""

    region_name = "eu-west-1"

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}

    def client(self, name: str) -> Any:
        if name not in self._clients:
            made: Any = boto3.client(
                name,
                region_name=self.region_name,
                aws_access_key_id="a",
                aws_secret_access_key="b",
            )
            self._clients[name], self._stubs[name] = made, Stubber(made)
            self._stubs[name].activate()
        return self._clients[name]

    def says(
        self,
        client: str,
        method: str,
        response: Mapping[str, Any],
        expected: dict[str, Any] | None = None,
    ) -> None:
        """Answer the next call; if `expected` is given, the call must have these parameters."""
        self.client(client)
        self._stubs[client].add_response(method, dict(response), expected)

    def denies(self, client: str, method: str, code: str = "AccessDenied") -> None:
        self.client(client)
        self._stubs[client].add_client_error(method, code, "no")

    def functions(self, method: str, *, exist: bool) -> None:
        """Answer for each function that it exists, or that it does not."""
        for _ in DEV.lambda_names:
            if exist:
                self.says("lambda", method, {})
            else:
                self.denies("lambda", method, "ResourceNotFoundException")

    def check_all_were_called(self) -> None:
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()
