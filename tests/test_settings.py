"""What the environment says, and what it means where it says nothing."""

import pytest

from chalicelib.settings import LOCAL_DATA_API, Settings, SettingsError

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

    assert settings == Settings("arn:cluster", "arn:secret", "customers", None, None)
    assert not settings.is_local
    assert Settings.from_environ(CLUSTER | {"DATABASE_NAME": "x"}).database_name == "x"


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
