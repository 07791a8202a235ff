"""Database accounts: SQL that creates an account without its password.

A log could keep the text of a statement, so the statements contain the hash that the server would
store. It is a hash for the plugin of the master account, with which the Data API logs in.

Sources: https://dev.mysql.com/doc/refman/8.0/en/create-user.html
         https://mariadb.com/kb/en/create-user/
         https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
         https://www.akkadia.org/drepper/SHA-crypt.txt
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha1, sha256

ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})

PLUGIN = "SELECT plugin FROM mysql.user WHERE CONCAT(user, '@', host) = CURRENT_USER()"
"""Query for the plugin of the master account, which runs it."""
STORED = (
    "SELECT authentication_string AS stored_hash FROM mysql.user WHERE user = :name AND host = '%'"
)
"""Query for an account's hash."""
PRIVILEGES = (
    "SELECT table_schema AS place, privilege_type AS privilege"
    " FROM information_schema.schema_privileges WHERE grantee = :account"
    " UNION ALL SELECT '*', privilege_type"
    " FROM information_schema.user_privileges WHERE grantee = :account"
)
"""Query for an account's privileges and where they apply."""

IAM = "AWSAuthenticationPlugin AS 'RDS'"
"""How an account of RDS identifies itself: with a token of IAM, instead of a password."""

_SALT_BYTES = 20
_ROUNDS = 5_000
_SHA2_PREFIX = f"$A${_ROUNDS // 1_000:03X}$"
_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class UnknownPlugin(Exception):
    """No hash can be computed for this plugin."""


def account(name: str) -> str:
    return f"'{name}'@'%'"


def statements(
    name: str, password: str, privileges: Iterable[str], schema: str, plugin: str
) -> Iterator[str]:
    """Yield the SQL that creates the account or resets its password, and grants the privileges.

    The name must be safe in SQL. Raises UnknownPlugin.
    """
    hashed = hash_for(plugin, password)
    yield from identified_statements(name, f"{plugin} AS '{hashed}'", privileges, schema)


def identified_statements(
    name: str, identity: str, privileges: Iterable[str], schema: str
) -> Iterator[str]:
    """Yield the same SQL for another way to identify, such as IAM."""
    identified = f"{account(name)} IDENTIFIED WITH {identity} REQUIRE SSL"
    yield f"CREATE USER IF NOT EXISTS {identified}"
    yield f"ALTER USER {identified}"
    yield f"GRANT {', '.join(sorted(privileges))} ON `{schema}`.* TO {account(name)}"


def hash_for(plugin: str, password: str) -> str:
    """Return a hash of the password in the plugin's format. Raises UnknownPlugin."""
    if plugin not in _HASHES:
        raise UnknownPlugin(
            f"The master user's authentication plugin is {plugin!r}, but must be one of"
            f" {', '.join(_HASHES)}: change it with ALTER USER."
        )
    return _HASHES[plugin](password)


def is_hash_of(stored: str, password: str) -> bool:
    """Return whether a server that stores this hash accepts the password."""
    if stored.startswith(_SHA2_PREFIX):
        salt = stored[len(_SHA2_PREFIX) :][:_SALT_BYTES]
        return secrets.compare_digest(stored.encode(), _caching_sha2(password, salt).encode())
    return secrets.compare_digest(stored.encode(), _native(password).encode())


def _native(password: str) -> str:
    """Return the hash of mysql_native_password, which has no salt; the passwords are random."""
    return "*" + sha1(sha1(password.encode()).digest()).hexdigest().upper()  # noqa: S324 (MySQL's)


def _caching_sha2(password: str, salt: str = "") -> str:
    salt = salt or "".join(secrets.choice(_DIGITS) for _ in range(_SALT_BYTES))
    return f"{_SHA2_PREFIX}{salt}{_sha256_crypt(password.encode(), salt.encode())}"


_HASHES: Mapping[str, Callable[[str], str]] = {
    "caching_sha2_password": _caching_sha2,
    "mysql_native_password": _native,
}


def _sha256_crypt(password: bytes, salt: bytes) -> str:
    """Return the digest of SHA-crypt with SHA-256, without its prefix. The names are its text's."""
    b = sha256(password + salt + password).digest()
    a = password + salt + _repeated(b, len(password))
    length = len(password)
    while length:
        a += b if length & 1 else password
        length >>= 1
    digest = sha256(a).digest()
    p = _repeated(sha256(password * len(password)).digest(), len(password))
    s = _repeated(sha256(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(_ROUNDS):
        c = p if number & 1 else digest
        c += (s if number % 3 else b"") + (p if number % 7 else b"")
        digest = sha256(c + (digest if number & 1 else p)).digest()
    return _encoded(digest)


def _repeated(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Return the digest in SHA-crypt's base 64 and order of bytes."""
    groups = [[(start + step) % 30 for step in (0, 10, 20)] for start in range(0, 210, 21)]
    groups.append([31, 30])
    return "".join(_digits([digest[number] for number in group]) for group in groups)


def _digits(octets: list[int]) -> str:
    value = int.from_bytes(bytes(octets))
    return "".join(_DIGITS[value >> 6 * place & 63] for place in range(len(octets) + 1))
