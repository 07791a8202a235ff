"""The proof of an erasure, and its verification without the service."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from chalicelib.customers import erasure
from chalicelib.database import Database
from chalicelib.http import receipts
from chalicelib.settings import LOCAL_CURSOR_KEY
from infrastructure.failures import Failure
from infrastructure.receipts import verify
from tests import tokens
from tests.api import ADA, Api, assert_problem
from tests.recorded import Recorded

KEY = receipts.derive_key(LOCAL_CURSOR_KEY.encode())
NEVER = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def path(api: Api) -> str:
    return api.post("/customers", ADA).headers["Location"]


@pytest.fixture
def receipt(api: Api, path: str) -> str:
    api.post(f"{path}/erase")
    return str(api.get(f"{path}/erasure").json_body["receipt"])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infrastructure.receipts", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_erasure_has_a_receipt(api: Api, path: str, database: Recorded) -> None:
    api.post(f"{path}/erase")
    database.statements.clear()

    answer = api.get(path.upper().replace("/CUSTOMERS", "/customers") + "/erasure")

    assert answer.status_code == 200
    assert len(database.statements) == 1
    proof = answer.json_body
    assert proof.keys() == {"id", "erased_at", "receipt"}
    assert proof["id"] == path.removeprefix("/customers/")
    assert verify(proof["receipt"], KEY) == {
        "iss": "customers",
        "sub": proof["id"],
        "erased_at": proof["erased_at"],
    }


def test_receipt_is_the_same_each_time(api: Api, path: str, receipt: str) -> None:
    api.post(f"{path}/erase")

    assert api.get(f"{path}/erasure").json_body["receipt"] == receipt


def test_purge_has_a_receipt(api: Api, path: str, database: Database) -> None:
    api.delete(path)
    database.execute("UPDATE customers SET purge_at = '2020-01-01 00:00:00'")
    erasure.purge(database)

    proof = api.get(f"{path}/erasure").json_body
    assert verify(proof["receipt"], KEY)["erased_at"] == proof["erased_at"]


def test_customer_that_was_not_erased_has_another_problem(api: Api, path: str) -> None:
    assert_problem(api.get(f"{path}/erasure"), 404, "customer-not-erased")
    api.delete(path)
    assert_problem(api.get(f"{path}/erasure"), 404, "customer-not-erased")
    assert_problem(api.get(f"{NEVER}/erasure"), 404, "customer-not-found")


def test_only_the_scope_of_erasures_sees_the_difference(api: Api, path: str) -> None:
    api.post(f"{path}/erase")
    others = ("customers:read", "customers:write", "customers:history", "customers:export")
    other = Api(tokens.token(*others))

    for end in ("", "/history", "/export"):
        erased, never = other.get(path + end), other.get(NEVER + end)
        for answer in (erased, never):
            assert_problem(answer, 404, "customer-not-found")
        assert erased.json_body["detail"] == never.json_body["detail"]
    assert other.get(f"{path}/erasure").status_code == 403
    assert other.get(f"{NEVER}/erasure").status_code == 403


def test_command_verifies_a_receipt_with_the_key_alone(receipt: str, tmp_path: Path) -> None:
    kept = tmp_path / "receipts.key"
    kept.write_text(run("key").stdout)

    done = run("verify", receipt, "--key", str(kept))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("valid: customer ")
    assert bytes.fromhex(kept.read_text()) == KEY != LOCAL_CURSOR_KEY.encode()


def test_command_rejects_a_receipt_of_another_key(receipt: str, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text("00" * 32)

    done = run("verify", receipt, "--key", str(other))

    assert (done.returncode, done.stdout) == (1, "")
    assert "Use the key of the time of the receipt" in done.stderr
    missing = run("verify", receipt, "--key", str(tmp_path / "none"))
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "contains no key" in missing.stderr


def forged(claims: dict[str, str], key: bytes = KEY, **header: str) -> str:
    named = {"typ": receipts.TYPE, "kid": receipts.key_id(KEY)}
    return jwt.encode(claims, key, headers=named | header)


def unsigned(claims: dict[str, str]) -> str:
    named = {"typ": receipts.TYPE, "kid": receipts.key_id(KEY)}
    return jwt.encode(claims, "", "none", named)


def with_claims_of(receipt: str, other: str) -> str:
    header, _, signature = receipt.split(".")
    return f"{header}.{other.split('.')[1]}.{signature}"


STRANGER = {"sub": "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e33"}
CHANGES: dict[str, Callable[[str, dict[str, str]], str]] = {
    "other claims": lambda receipt, claims: with_claims_of(receipt, forged(claims | STRANGER)),
    "other key": lambda _, claims: forged(claims, bytes(32)),
    "no signature": lambda _, claims: unsigned(claims),
    "cut off": lambda receipt, _: receipt.rpartition(".")[0],
    "other type": lambda _, claims: forged(claims, typ="JWT"),
    "no time": lambda _, claims: forged({name: claims[name] for name in ("iss", "sub")}),
    "other service": lambda _, claims: forged(claims | {"iss": "orders"}),
    "garbage": lambda _, __: "garbage",
}


@pytest.mark.parametrize("kind", CHANGES)
def test_changed_receipt_is_rejected(receipt: str, kind: str) -> None:
    claims = verify(receipt, KEY)

    with pytest.raises(Failure, match=r"not valid|not the receipt"):
        verify(CHANGES[kind](receipt, claims), KEY)
