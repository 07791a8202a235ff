"""`DATABASE_URL`: its parts, its options, and connections to real servers."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pymysql
import pytest
import trustme

from chalicelib.database.address import Address, AddressError
from local.database_server import DatabaseServer
from local.processes import free_port

# Any text that a password may contain
PASSWORD = "p@ss/w:rd #1?%&[ü]+"
# A loopback address that is not in the list of this machine's names, like the name of another host
ELSEWHERE = "127.1"


class Encrypted(NamedTuple):
    """A server with a certificate for localhost, issued by `authority`."""

    url: str
    authority: Path
    stranger: Path

    def at(self, host: str, options: str = "") -> Address:
        return Address.parse(self.url.replace("127.0.0.1", host) + options)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    files = tmp_path_factory.mktemp("encrypted")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(files / "ca.pem")
    trustme.CA().cert_pem.write_to_path(files / "stranger.pem")
    certificate.private_key_pem.write_to_path(files / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(files / "cert.pem")
    options = {"ssl-cert": f"{files}/cert.pem", "ssl-key": f"{files}/key.pem"}
    server = DatabaseServer(files / "local" / "mariadb", free_port(), options)
    try:
        server.start()
        yield Encrypted(server.url, files / "ca.pem", files / "stranger.pem")
    finally:
        server.stop()


def cipher(address: Address) -> str:
    """Log in, and return the cipher of the connection, or an empty text."""
    with pymysql.connect(**address.login) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        row = cursor.fetchone()
    return str(row[1]) if row else "no row"


def test_parts_are_percent_decoded() -> None:
    user, password, database = (quote(text, safe="") for text in ("a/b@c", PASSWORD, "d/ä"))
    address = Address.parse(f"mysql://{user}:{password}@h:3307/{database}")

    assert address[:5] == ("h", 3307, "a/b@c", PASSWORD, "d/ä")


@pytest.mark.parametrize("end", ["", "/"])
def test_port_has_a_default(end: str) -> None:
    assert Address.parse(f"mysql://a:b@h/d{end}")[:5] == ("h", 3306, "a", "b", "d")


def test_ipv6_address_is_written_in_brackets() -> None:
    address = Address.parse("mysql://a:b@[2001:db8::1]:3307/d")

    assert (address.host, address.port) == ("2001:db8::1", 3307)
    assert repr(address) == "mysql://a@[2001:db8::1]:3307/d"


def test_ipv6_address_is_connected_to() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        server.settimeout(60)
        login = Address.parse(f"mysql://a:b@[::1]:{server.getsockname()[1]}/d").login
        with pytest.raises(pymysql.err.OperationalError):
            pymysql.connect(**login, connect_timeout=5, read_timeout=0.1)
        server.accept()[0].close()


def test_repr_contains_no_password_and_no_options() -> None:
    address = Address.parse("mysql://a:hidden@h:1/d?tls_ca=hidden")

    assert repr(address) == "mysql://a@h:1/d"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pw",
        "postgres://a:pw@h/d",
        "mysql://a:pw@h",
        "mysql://a:pw@h/",
        "mysql://a:pw@h/d/pw",
        "mysql:///d",
        "mysql://h/d",
        "mysql://:pw@h/d",
        "mysql://a:pw/x@h/d",
        "mysql://a:pw#x@h/d",
        "mysql://a:1?pw@h/d",
        "mysql://a:b@h/d#pw",
        "mysql://a:b@h:pw/d",
        "mysql://a:b@h:99999/d",
        "mysql://a:b@[pw/d",
        "mysql://a:pw%FF@h/d",
    ],
)
def test_malformed_url_is_rejected_in_one_line_without_repeating_it(url: str) -> None:
    with pytest.raises(AddressError, match="mysql://user:password@host:port/database") as caught:
        Address.parse(url)

    assert "pw" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        *("tls-ca=pw", "password=pw", "pw"),
        *("tls=", "tls=pw", "tls=on", "tls=OFF", "tls=off&tls=off"),
        *("tls_ca=", "auth=", "auth=pw", "auth=IAM"),
    ],
)
def test_invalid_option_is_rejected_without_repeating_it(options: str) -> None:
    with pytest.raises(AddressError, match="has only the options tls") as caught:
        Address.parse(f"mysql://a:b@h/d?{options}")

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("tls", ["off", "preferred"])
def test_authority_requires_a_mode_that_verifies(tls: str) -> None:
    with pytest.raises(AddressError, match=f"no effect with tls={tls}"):
        Address.parse(f"mysql://a:b@h/d?tls={tls}&tls_ca=x")


SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:customers-prod/application-AbCdEf"


def test_login_of_aws_needs_no_password() -> None:
    token = Address.parse("mysql://app@h/d?auth=iam")
    secret = Address.parse(f"mysql://h/d?secret={SECRET}")

    assert (token.user, token.uses_iam, token.needs_aws, token.tls) == (
        "app",
        True,
        True,
        "verified",
    )
    assert (secret.user, secret.secret_arn, secret.needs_aws) == ("", SECRET, True)
    assert not Address.parse("mysql://a:b@h/d").needs_aws


def test_token_is_sent_only_to_a_verified_server() -> None:
    """Whoever receives the token can log in with it."""
    assert Address.parse("mysql://app@127.0.0.1/d?auth=iam").tls == "verified"
    for tls in ("required", "preferred", "off"):
        with pytest.raises(AddressError, match="only tls=verified is safe"):
            Address.parse(f"mysql://app@h/d?auth=iam&tls={tls}")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://a@h/d?secret={SECRET}", "the address must have neither"),
        (f"mysql://:b@h/d?secret={SECRET}", "the address must have neither"),
        (f"mysql://h/d?auth=iam&secret={SECRET}", "two logins: remove one"),
        ("mysql://a:b@h/d?auth=iam", "replaces the password: remove it"),
        ("mysql://h/d?secret=", "must be the ARN of a secret"),
        ("mysql://h/d?secret=customers-prod/application", "must be the ARN of a secret"),
        ("mysql://h/d?auth=iam", "is of the form"),
    ],
)
def test_contradictory_logins_are_rejected(url: str, said: str) -> None:
    with pytest.raises(AddressError, match=said):
        Address.parse(url)


@pytest.mark.parametrize("file", ["/nowhere", __file__])
def test_unreadable_authority_is_explained(file: str) -> None:
    with pytest.raises(AddressError, match="tls_ca has no certificates"):
        _ = Address.parse(f"mysql://a:b@h/d?tls_ca={file}").login


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("host", "options", "is_encrypted"),
    [
        ("127.0.0.1", "", False),
        ("127.0.0.1", "?tls=preferred", True),
        ("127.0.0.1", "?tls=required", True),
        ("localhost", "?tls_ca={authority}", True),
        ("localhost", "?tls=verified&tls_ca={authority}", True),
        (ELSEWHERE, "?tls=off", False),
        (ELSEWHERE, "?tls=preferred", True),
        (ELSEWHERE, "?tls=required", True),
        (ELSEWHERE, "?tls=required&tls_ca={authority}", True),
    ],
)
def test_tls_is_used_as_the_options_say(
    encrypted: Encrypted, host: str, options: str, *, is_encrypted: bool
) -> None:
    address = encrypted.at(host, options.format(authority=encrypted.authority))

    assert bool(cipher(address)) == is_encrypted


@pytest.mark.parametrize(
    ("host", "options", "reason"),
    [
        (ELSEWHERE, "", "certificate verify failed"),
        (ELSEWHERE, "?tls_ca={authority}", "certificate verify failed"),
        ("localhost", "?tls_ca={stranger}", "certificate verify failed"),
        (ELSEWHERE, "?tls=required&tls_ca={stranger}", "certificate verify failed"),
    ],
)
def test_certificate_is_verified_as_the_options_say(
    encrypted: Encrypted, host: str, options: str, reason: str
) -> None:
    options = options.format(authority=encrypted.authority, stranger=encrypted.stranger)

    with pytest.raises(pymysql.err.OperationalError, match=reason):
        cipher(encrypted.at(host, options))


@pytest.mark.engine("mariadb", reason="MySQL generates a certificate, so each server supports TLS")
@pytest.mark.parametrize(("tls", "is_rejected"), [("preferred", False), ("required", True)])
def test_server_without_tls_is_rejected_if_tls_is_required(
    database_server: DatabaseServer, tls: str, *, is_rejected: bool
) -> None:
    address = Address.parse(f"{database_server.url}?tls={tls}")

    if is_rejected:
        with pytest.raises(pymysql.err.OperationalError, match="SSL is required"):
            cipher(address)
    else:
        assert cipher(address) == ""
