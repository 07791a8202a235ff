"""Settings from environment variables, and their defaults."""

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


def test_default_database_is_the_local_stack() -> None:
    settings = Settings.from_environ({})

    assert settings.is_local
    assert settings.endpoint_url == LOCAL_DATA_API


def test_url_of_the_local_stack_is_configurable() -> None:
    settings = Settings.from_environ({"AWS_ENDPOINT_URL_RDS_DATA": "http://127.0.0.1:9"})

    assert settings.is_local
    assert settings.endpoint_url == "http://127.0.0.1:9"


@pytest.mark.parametrize("where", [{}, IN_LAMBDA])
def test_cluster_is_configured_by_its_arns(where: dict[str, str]) -> None:
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


def test_default_client_is_boto3_only_for_a_developer_who_uses_a_cluster() -> None:
    assert Settings.from_environ({}).data_api_client == "slim"
    assert Settings.from_environ(CLUSTER).data_api_client == "boto3"
    assert Settings.from_environ(CLUSTER | IN_LAMBDA).data_api_client == "slim"


@pytest.mark.parametrize("client", DATA_API_CLIENTS)
@pytest.mark.parametrize("where", [{}, CLUSTER, CLUSTER | IN_LAMBDA])
def test_client_is_configurable_everywhere(where: dict[str, str], client: str) -> None:
    settings = Settings.from_environ(where | {"DATA_API_CLIENT": client})

    assert settings.data_api_client == client


@pytest.mark.parametrize("where", [{}, CLUSTER, CLUSTER | IN_LAMBDA])
def test_unknown_client_is_an_error(where: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="DATA_API_CLIENT must be boto3 or slim"):
        Settings.from_environ(where | {"DATA_API_CLIENT": "urllib"})


@pytest.mark.parametrize("missing", CLUSTER)
def test_missing_setting_in_lambda_is_an_error_that_names_it(missing: str) -> None:
    environ = {name: value for name, value in (CLUSTER | IN_LAMBDA).items() if name != missing}

    for lacking in (environ, environ | {missing: ""}):
        with pytest.raises(SettingsError, match=missing):
            Settings.from_environ(lacking)


@pytest.mark.parametrize("where", [{}, IN_LAMBDA])
def test_two_backends_are_rejected_by_name(where: dict[str, str]) -> None:
    both = CLUSTER | where | {"DATABASE_URL": "mysql://a@h/d?auth=iam"}
    with pytest.raises(SettingsError, match="DATABASE_URL and DATABASE_RESOURCE_ARN select two"):
        Settings.from_environ(both)


def test_local_database_name_can_be_set() -> None:
    assert Settings.from_environ({"DATABASE_NAME": "shop"}).database_name == "shop"


def test_password_in_a_url_is_not_in_the_repr() -> None:
    settings = Settings.from_environ({"DATABASE_URL": "mysql://a:hunter2@h/d"} | IN_LAMBDA)

    assert settings.database_url == "mysql://a:hunter2@h/d"
    assert "hunter2" not in repr(settings)


TOKENS = {"TOKEN_ISSUER": "https://issuer.example.com/pool", "TOKEN_AUDIENCE": "customers other"}


def test_default_issuer_is_the_local_one() -> None:
    assert TokenSettings.from_environ({}) == TokenSettings(
        "http://127.0.0.1:8003", ("customers",), "http://127.0.0.1:8003/.well-known/jwks.json"
    )


@pytest.mark.parametrize("where", [{}, IN_LAMBDA])
@pytest.mark.parametrize("slash", ["", "/"])
def test_issuer_and_audiences_are_configurable(where: dict[str, str], slash: str) -> None:
    issuer = TOKENS["TOKEN_ISSUER"] + slash

    settings = TokenSettings.from_environ(TOKENS | {"TOKEN_ISSUER": issuer} | where)

    assert settings.issuer == issuer
    assert settings.audiences == ("customers", "other")
    assert settings.jwks_url == "https://issuer.example.com/pool/.well-known/jwks.json"


def test_jwks_url_is_configurable() -> None:
    url = "https://keys.example.com/all.json"

    assert TokenSettings.from_environ(TOKENS | {"TOKEN_JWKS_URL": url}).jwks_url == url


@pytest.mark.parametrize("missing", TOKENS)
def test_missing_token_setting_in_lambda_is_an_error_that_names_it(missing: str) -> None:
    environ = {name: value for name, value in (TOKENS | IN_LAMBDA).items() if name != missing}

    for lacking in (environ, environ | {missing: ""}):
        with pytest.raises(SettingsError, match=missing):
            TokenSettings.from_environ(lacking)


def test_issuer_without_an_audience_is_an_error_everywhere() -> None:
    with pytest.raises(SettingsError, match="TOKEN_AUDIENCE"):
        TokenSettings.from_environ({"TOKEN_ISSUER": "https://issuer.example.com"})


COGNITO = {
    "TOKEN_ISSUER": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf",
    "TOKEN_AUDIENCE": "4example",
}


@pytest.mark.parametrize("where", [{}, IN_LAMBDA, {"TOKEN_SCOPE_PREFIX": ""}])
@pytest.mark.parametrize("host", ["cognito-idp.eu-west-1", "cognito-idp-fips.us-east-1"])
def test_cognito_without_a_scope_prefix_is_an_error(where: dict[str, str], host: str) -> None:
    issuer = {"TOKEN_ISSUER": f"https://{host}.amazonaws.com/pool"}

    with pytest.raises(SettingsError, match="TOKEN_SCOPE_PREFIX is not set: Cognito requires it"):
        TokenSettings.from_environ(COGNITO | issuer | where)


@pytest.mark.parametrize("issuer", [TOKENS, COGNITO])
def test_scope_prefix_is_configurable(issuer: dict[str, str]) -> None:
    prefix = {"TOKEN_SCOPE_PREFIX": "https://api.example.com/"}

    settings = TokenSettings.from_environ(issuer | prefix)

    assert settings.scope_prefix == "https://api.example.com/"


def test_default_scope_prefix_is_empty() -> None:
    assert TokenSettings.from_environ(TOKENS).scope_prefix == ""


@pytest.mark.parametrize("prefix", ["a b", " a", "a\n"])
def test_scope_prefix_with_a_space_is_an_error(prefix: str) -> None:
    with pytest.raises(SettingsError, match="TOKEN_SCOPE_PREFIX must be one identifier"):
        TokenSettings.from_environ(TOKENS | {"TOKEN_SCOPE_PREFIX": prefix})


def test_api_settings_have_local_defaults() -> None:
    """Plain `chalice local` accepts requests from the console that `make stack` starts."""
    assert ApiSettings.from_environ({}) == ApiSettings(
        ("http://127.0.0.1:8003",), LOCAL_CURSOR_KEY.encode(), 30, deep_health=True
    )


@pytest.mark.parametrize("where", [IN_LAMBDA, {"CORS_ORIGINS": ""}])
def test_no_origin_is_allowed_by_default(where: dict[str, str]) -> None:
    assert ApiSettings.from_environ({"CURSOR_KEY": "k" * 32, **where}).cors_origins == ()


@pytest.mark.parametrize("where", [{}, IN_LAMBDA])
def test_api_settings_are_read(where: dict[str, str]) -> None:
    settings = ApiSettings.from_environ(
        {
            "CORS_ORIGINS": "https://a.example.com https://b.example.com",
            "CURSOR_KEY": "k" * 32,
            "RETENTION_DAYS": "3650",
            "DEEP_HEALTH": "off",
            **where,
        }
    )

    assert settings == ApiSettings(
        ("https://a.example.com", "https://b.example.com"), b"k" * 32, 3650, deep_health=False
    )
    assert "kkk" not in repr(settings)


@pytest.mark.parametrize(
    "environ", [IN_LAMBDA, IN_LAMBDA | {"CURSOR_KEY": ""}, {"CURSOR_KEY": "k" * 31}]
)
def test_missing_or_short_cursor_key_is_an_error(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="CURSOR_KEY") as raised:
        ApiSettings.from_environ(environ)
    assert "kkk" not in str(raised.value)


def test_minimum_key_length_and_retention_are_accepted() -> None:
    settings = ApiSettings.from_environ({"CURSOR_KEY": "k" * 32, "RETENTION_DAYS": "1"})

    assert (settings.cursor_key, settings.retention_days) == (b"k" * 32, 1)


def test_empty_variable_is_treated_as_unset() -> None:
    database = {"DATABASE_URL": "", "DATABASE_NAME": "", "DATA_API_CLIENT": ""}
    api = {"CURSOR_KEY": "", "RETENTION_DAYS": "", "DEEP_HEALTH": ""}

    assert Settings.from_environ(database) == Settings.from_environ({})
    assert TokenSettings.from_environ({"TOKEN_JWKS_URL": ""}) == TokenSettings.from_environ({})
    assert ApiSettings.from_environ(api) == ApiSettings.from_environ({})
    assert stage({"STAGE": ""}) == stage({}) == "local"


@pytest.mark.parametrize("days", ["0", "-1", "3651", "1.5", "a month", "٣٠"])
def test_invalid_retention_is_an_error(days: str) -> None:
    with pytest.raises(SettingsError, match="RETENTION_DAYS"):
        ApiSettings.from_environ({"RETENTION_DAYS": days})


@pytest.mark.parametrize("value", ["true", "0", "OFF", " on"])
def test_invalid_deep_health_is_an_error(value: str) -> None:
    with pytest.raises(SettingsError, match="DEEP_HEALTH must be on or off"):
        ApiSettings.from_environ({"DEEP_HEALTH": value})
