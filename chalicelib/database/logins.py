"""Logins that AWS provides: a token of RDS's IAM authentication, or a secret of Secrets Manager.

Each connection gets a new token, or reads the secret again, because a rotation changes its user.
"""

import json
import os
from typing import Any

from chalicelib.connections import CONNECT_SECONDS
from chalicelib.database.address import Address
from chalicelib.database.errors import StatementNotBegun
from chalicelib.settings import SettingsError


def login(address: Address) -> dict[str, str]:
    """Return PyMySQL's arguments for the user and the password.

    Raises SettingsError, StatementNotBegun, and StatementFailed without credentials.
    """
    if address.secret_arn:
        return _read(address.secret_arn)
    return {"password": _token(address)}


def _token(address: Address) -> str:
    """Sign a token, which needs no call of AWS. boto3 would take most of a cold start."""
    from chalicelib.database.slim import endpoints
    from chalicelib.database.slim.credentials import Credentials
    from chalicelib.database.slim.signatures import login_token

    key = Credentials(os.environ).current()
    return login_token(address.location, endpoints.region(os.environ), address.user, key)


def _read(arn: str) -> dict[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        secret = json.loads(_client(arn).get_secret_value(SecretId=arn)["SecretString"])
        return {"user": str(secret["username"]), "password": str(secret["password"])}
    except (BotoCoreError, ClientError) as error:
        reason = f"the database's secret can't be read: {type(error).__name__}"
        raise StatementNotBegun(reason) from None
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"The secret {arn} is not JSON with username and password.") from None


def _client(arn: str) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=CONNECT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},  # `retries` decides about retries
    )
    return boto3.client("secretsmanager", region_name=arn.split(":")[3], config=config)
