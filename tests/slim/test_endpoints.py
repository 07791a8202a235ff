"""The endpoints are the same as botocore's, in every region that botocore knows."""

from itertools import product
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from chalicelib.database.slim import endpoints
from chalicelib.settings import SettingsError

SESSION = botocore.session.get_session()
REGIONS = [
    region
    for partition in SESSION.get_component("data_loader").load_data("partitions")["partitions"]
    for region in partition["regions"]
    if not region.endswith("-global")  # no function runs in these
]
FLAGS = {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "TRUE"}


def test_endpoint_of_every_region_is_botocores() -> None:
    """One client resolves all of them, because creating a client takes longer."""
    client: Any = SESSION.create_client("rds-data", "eu-west-1", config=Config())
    resolver = client._ruleset_resolver
    assert len(REGIONS) > 30
    for region, is_fips, is_dual in product(REGIONS, (False, True), (False, True)):
        wanted = resolver._provider.resolve_endpoint(
            Region=region, UseFIPS=is_fips, UseDualStack=is_dual
        )
        environ = {
            name: FLAGS[name]
            for name, is_set in zip(FLAGS, (is_fips, is_dual), strict=True)
            if is_set
        }
        assert endpoints.choose(environ, region, None) == wanted.url


@pytest.mark.parametrize(
    ("environ", "url", "expected"),
    [
        ({"AWS_ENDPOINT_URL": "http://a:1"}, None, "http://a:1"),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_RDS_DATA": "http://b"},
            None,
            "http://b",
        ),
        ({"AWS_ENDPOINT_URL_RDS_DATA": "http://b"}, "https://c:443/", "https://c"),
        ({"AWS_USE_FIPS_ENDPOINT": "false"}, "http://[::1]:8001", "http://[::1]:8001"),
        ({}, "HTTP://A.example.com:80", "http://a.example.com"),
        ({}, "http://a:443", "http://a:443"),
        ({}, "http://a:8080", "http://a:8080"),
        ({}, "https://a:65535", "https://a:65535"),
    ],
)
def test_custom_endpoint_is_used(environ: dict[str, str], url: str | None, expected: str) -> None:
    assert endpoints.choose(environ, "eu-west-1", url) == expected


@pytest.mark.parametrize("flag", FLAGS)
def test_custom_endpoint_with_fips_or_dual_stack_is_rejected(flag: str) -> None:
    with pytest.raises(SettingsError, match=flag):
        endpoints.choose({flag: "true"}, "eu-west-1", "https://example.com")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://a",
        "http://",
        "http://a:65536",
        "http://a:",
        "http://a:b",
        "http://a..b",
        "http://user:password@a",
        "http://a/path",
        "http://a/?q",
        "http://a#f",
        "http://a b",
        "http://a\r\nX: y",
        "http://[::1",
        f"http://{'a' * 64}",
    ],
)
def test_invalid_endpoint_is_rejected(url: str) -> None:
    with pytest.raises(SettingsError, match="https://host:port") as caught:
        endpoints.parse(url)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_region_comes_from_the_environment(environ: dict[str, str], expected: str) -> None:
    assert endpoints.region(environ) == expected


@pytest.mark.parametrize("region", ["", "eu-west-1.example.com", "EU", "-", "eu-west-1\n"])
def test_invalid_region_is_rejected(region: str) -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        endpoints.region({"AWS_REGION": region})
