"""AWS, emulated by moto in a separate process: `python -m tests.contract.aws <port>`.

moto rejects Chalice's Swagger 2.0 and integrations without a URI (CORS), and lacks UpdateMethod and
UpdateModel. This module adds only these.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.apigateway.models import APIGatewayBackend
from moto.apigateway.responses import APIGatewayResponse
from moto.server import main

from local.processes import Child, answers, free_port

REGION = "eu-west-1"
ACCOUNT = "123456789012"


def adapt() -> None:
    """Make moto accept what Chalice and `apply` send to AWS."""
    imported, put = APIGatewayBackend.import_rest_api, APIGatewayBackend.put_rest_api
    integrated = APIGatewayBackend.put_integration

    def as_3(document: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in document.items() if name != "swagger"}
        return kept | {"openapi": "3.0.1", "info": {"description": "", **document["info"]}}

    def import_rest_api(self: Any, api_doc: dict[str, Any], *rest: Any) -> Any:
        return imported(self, as_3(api_doc), *rest)

    def put_rest_api(self: Any, function_id: str, api_doc: dict[str, Any], **rest: Any) -> Any:
        return put(self, function_id, as_3(api_doc), **rest)

    def put_integration(self: Any, *rest: Any, **named: Any) -> Any:
        return integrated(self, *rest, **{"uri": "", "integration_method": None, **named})

    APIGatewayBackend.import_rest_api = import_rest_api
    APIGatewayBackend.put_rest_api = put_rest_api
    APIGatewayBackend.put_integration = put_integration
    APIGatewayResponse.update_method = _update_method
    APIGatewayResponse.update_model = _update_model


def _update_method(self: Any) -> str:
    _, _, api, _, resource, _, verb = self.path.split("/")
    method = self.backend.get_method(api, resource, verb)
    for operation in self._get_param("patchOperations"):
        kind, _, name = operation["path"].removeprefix("/").partition("/")
        if kind == "requestValidatorId":
            self.backend.get_request_validator(api, operation["value"])
            method.request_validator_id = operation["value"]
        else:
            assert kind == "requestModels"
            self.backend.get_model(api, operation["value"])
            media_type = name.replace("~1", "/")
            method.request_models = {
                **(method.request_models or {}),
                media_type: operation["value"],
            }
    return json.dumps(method.to_json())


def _update_model(self: Any) -> str:
    _, _, api, _, name = self.path.split("/")
    model = self.backend.get_model(api, name)
    (patch,) = self._get_param("patchOperations")
    assert patch["path"] == "/schema"
    model.schema = patch["value"]
    return json.dumps(model.to_json())


@contextmanager
def moto(directory: Path) -> Iterator[dict[str, str]]:
    """Run an empty moto; set, and yield, the variables that direct AWS's SDK to it."""
    port = free_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    command = [sys.executable, "-m", "tests.contract.aws", str(port)]
    with (
        Child("moto", command, directory / "moto.log", {**os.environ, **variables}) as server,
        pytest.MonkeyPatch.context() as patched,
    ):
        server.wait_until(lambda: answers(port))
        for name, value in variables.items():
            patched.setenv(name, value)
        yield variables


if __name__ == "__main__":
    adapt()
    main(["--host", "127.0.0.1", "--port", sys.argv[1]])
