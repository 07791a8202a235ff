"""What the environment says, and what it means where it says nothing."""

import pytest

from chalicelib.settings import (
    DATA_API_CLIENTS,
    LOCAL_CURSOR_KEY,
    LOCAL_DATA_API,
    ApiSettings,
    Settings,
    SettingsError,
    TokenSettings,
    stage,
)

CLUSTER = {"DATABASE_RESOURCE_ARN": "arn:cluster", "DATABASE_SECRET_ARN": "arn:secret"}
IN_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "customers-prod"}


def test_nothing_set_means_the_local_stack() -> None:
    settings = Settings.from_environ({})

    assert settings.is_local
    assert settings.endpoint_url == LOCAL_DATA_API


def test_local_stack_may_be_elsewhere() -> None:
    settings = Settings.from_environ({"AWS_ENDPOINT_URL_RDS_DATA": "http://127.0.0.1:9"})

    assert settings.is_local
    assert settings.endpoint_url == "http://127.0.0.1:9"


@pytest.mark.parametrize("where", [{}, IN_LAMBDA])
def test_cluster(where: dict[str, str]) -> None:
    settings = Settings.from_environ(CLUSTER | where)

    assert settings._replace(data_api_client="") == Settings(
        "arn:cluster", "arn:secret", "customers", None, None, ""
    )
    assert not settings.is_local
    assert Settings.from_environ(CLUSTER | {"DATABASE_NAME": "x"}).database_name == "x"
    elsewhere = {"AWS_ENDPOINT_URL_RDS_DATA": "https://vpce.example.com"}
    assert Settings.from_environ(CLUSTER | elsewhere | where).endpoint_url == (
        "https://vpce.example.com"
    )


def test_function_has_the_slim_client_and_a_laptop_boto3s() -> None:
    assert Settings.from_environ({}).data_api_client == "boto3"
    assert Settings.from_environ(CLUSTER).data_api_client == "boto3"
    assert Settings.from_environ(CLUSTER | IN_LAMBDA).data_api_client == "slim"


@pytest.mark.parametrize("client", DATA_API_CLIENTS)
@pytest.mark.parametrize("where", [{}, CLUSTER, CLUSTER | IN_LAMBDA])
def test_client_is_a_setting_everywhere(where: dict[str, str], client: str) -> None:
    settings = Settings.from_environ(where | {"DATA_API_CLIENT": client})

    assert settings.data_api_client == client


@pytest.mark.parametrize("where", [{}, CLUSTER, CLUSTER | IN_LAMBDA])
def test_client_that_is_none_is_an_error(where: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="DATA_API_CLIENT must be boto3 or slim"):
        Settings.from_environ(where | {"DATA_API_CLIENT": "urllib"})


@pytest.mark.parametrize("missing", CLUSTER)
def test_missing_setting_in_lambda_is_an_error_that_names_it(missing: str) -> None:
    environ = {name: value for name, value in (CLUSTER | IN_LAMBDA).items() if name != missing}

    for lacking in (environ, environ | {missing: ""}):
        with pytest.raises(SettingsError, match=missing):
            Settings.from_environ(lacking)


def test_address_with_a_password_is_not_shown() -> None:
    settings = Settings.from_environ({"DATABASE_URL": "mysql://a:hunter2@h/d"} | IN_LAMBDA)

    assert settings.database_url == "mysql://a:hunter2@h/d"
    assert "hunter2" not in repr(settings)


TOKENS = {"TOKEN_ISSUER": "https://issuer.example.com/pool", "TOKEN_AUDIENCE": "customers other"}


def test_tokens_are_the_local_issuers_where_nothing_is_set() -> None:
    assert TokenSettings.from_environ({}) == TokenSettings(
        "http://127.0.0.1:8003", ("customers",), "http://127.0.0.1:8003/.well-known/jwks.json"
    )


@pytest.mark.parametrize("where", [{}, IN_LAMBDA])
@pytest.mark.parametrize("slash", ["", "/"])
def test_issuer_and_audiences(where: dict[str, str], slash: str) -> None:
    issuer = TOKENS["TOKEN_ISSUER"] + slash

    settings = TokenSettings.from_environ(TOKENS | {"TOKEN_ISSUER": issuer} | where)

    assert settings.issuer == issuer
    assert settings.audiences == ("customers", "other")
    assert settings.jwks_url == "https://issuer.example.com/pool/.well-known/jwks.json"


def test_keys_may_be_elsewhere() -> None:
    url = "https://keys.example.com/all.json"

    assert TokenSettings.from_environ(TOKENS | {"TOKEN_JWKS_URL": url}).jwks_url == url


@pytest.mark.parametrize("missing", TOKENS)
def test_missing_token_setting_in_lambda_is_an_error_that_names_it(missing: str) -> None:
    environ = {name: value for name, value in (TOKENS | IN_LAMBDA).items() if name != missing}

    for lacking in (environ, environ | {missing: ""}):
        with pytest.raises(SettingsError, match=missing):
            TokenSettings.from_environ(lacking)


def test_issuer_without_an_audience_is_an_error_anywhere() -> None:
    with pytest.raises(SettingsError, match="TOKEN_AUDIENCE"):
        TokenSettings.from_environ({"TOKEN_ISSUER": "https://issuer.example.com"})


def test_api_settings_where_nothing_is_set() -> None:
    """A plain `chalice local` answers the console that `make stack` started."""
    assert ApiSettings.from_environ({}) == ApiSettings(
        ("http://127.0.0.1:8003",), LOCAL_CURSOR_KEY.encode(), 30
    )


@pytest.mark.parametrize("where", [IN_LAMBDA, {"CORS_ORIGINS": ""}])
def test_no_origin_is_let_in_where_none_is_named(where: dict[str, str]) -> None:
    assert ApiSettings.from_environ({"CURSOR_KEY": "k" * 32, **where}).cors_origins == ()


@pytest.mark.parametrize("where", [{}, IN_LAMBDA])
def test_api_settings(where: dict[str, str]) -> None:
    settings = ApiSettings.from_environ(
        {
            "CORS_ORIGINS": "https://a.example.com https://b.example.com",
            "CURSOR_KEY": "k" * 32,
            "RETENTION_DAYS": "3650",
            **where,
        }
    )

    assert settings == ApiSettings(
        ("https://a.example.com", "https://b.example.com"), b"k" * 32, 3650
    )
    assert "kkk" not in repr(settings)


@pytest.mark.parametrize(
    "environ", [IN_LAMBDA, IN_LAMBDA | {"CURSOR_KEY": ""}, {"CURSOR_KEY": "k" * 31}]
)
def test_cursor_key_that_is_missing_or_short_is_an_error(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="CURSOR_KEY") as refusal:
        ApiSettings.from_environ(environ)
    assert "kkk" not in str(refusal.value)


def test_shortest_key_and_retention() -> None:
    settings = ApiSettings.from_environ({"CURSOR_KEY": "k" * 32, "RETENTION_DAYS": "1"})

    assert (settings.cursor_key, settings.retention_days) == (b"k" * 32, 1)


def test_what_is_empty_is_as_if_it_was_not_set() -> None:
    database = {"DATABASE_URL": "", "DATA_API_CLIENT": ""}
    api = {"CURSOR_KEY": "", "RETENTION_DAYS": ""}

    assert Settings.from_environ(database) == Settings.from_environ({})
    assert TokenSettings.from_environ({"TOKEN_JWKS_URL": ""}) == TokenSettings.from_environ({})
    assert ApiSettings.from_environ(api) == ApiSettings.from_environ({})
    assert stage({"STAGE": ""}) == stage({}) == "local"


@pytest.mark.parametrize("days", ["0", "-1", "3651", "1.5", "a month", "٣٠"])
def test_wrong_retention_is_an_error(days: str) -> None:
    with pytest.raises(SettingsError, match="RETENTION_DAYS"):
        ApiSettings.from_environ({"RETENTION_DAYS": days})
