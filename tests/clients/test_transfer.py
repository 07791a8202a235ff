"""The command `customers` with the real API: imports and exports, interrupted and repeated."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from customers_client import CustomerPatch, Customers
from customers_client.__main__ import main

from chalicelib.database import Database
from tests.clients.server import LOST, Fault, Server, problem
from tests.lockfiles import ROOT
from tests.test_changes import age

Run = Callable[..., int]
KEPT = ("email", "phone", "given_name", "family_name", "company_name", "external_id", "addresses")


@pytest.fixture
def run(server: Server, token: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return the command, which uses the server; its arguments may be paths."""
    monkeypatch.setenv("BASE_URL", server.url)
    monkeypatch.setenv("TOKEN", token)
    umask = os.umask(0o022)

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["customers", *map(str, arguments)])
        return main()

    yield call
    os.umask(umask)


def spawn(
    server: Server, token: str, *arguments: object, stdout: int = subprocess.PIPE, limit: str = ""
) -> subprocess.Popen[str]:
    """Start the command; `limit` is the maximum size of its files in blocks."""
    environment = {
        **os.environ,
        "BASE_URL": server.url,
        "TOKEN": token,
        "PYTHONPATH": str(ROOT / "clients/python"),
    }
    command = [sys.executable, "-m", "customers_client", *map(str, arguments)]
    if limit:
        command = ["sh", "-c", f'ulimit -f {limit}; exec "$@"', "sh", *command]
    return subprocess.Popen(
        command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True
    )


def write_csv(path: Path, *rows: Mapping[str, str], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def people(count: int) -> list[dict[str, str]]:
    return [
        {"email": f"c{number}@example.com", "given_name": f"Given {number}"}
        for number in range(count)
    ]


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(), newline="")))


def emails(client: Customers) -> list[str]:
    return sorted(customer.email for customer in client.list())


def test_import_creates_every_row(run: Run, client: Customers, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "new.csv", *people(230))
    assert run("import", file) == 0
    assert emails(client) == sorted(row["email"] for row in people(230))
    assert not list(tmp_path.glob("*rejected*"))


def test_columns_are_mapped_to_fields(
    run: Run, client: Customers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {
        "E-Mail": "ada@example.com",
        "Name": "Lovelace",
        "Plan": "team",
        "Street": "1 High Street",
        "Country": "GB",
        "Notes": "met in Rome",
        "phone": "+442071838750",
        "external_id": "'=7",
    }
    file = write_csv(tmp_path / "new.csv", row)
    mapping = ["E-Mail=email", "Name=family_name", "Plan=metadata.plan", "Notes="]
    mapping += ["Street=addresses.0.line1", "Country=addresses.0.country"]

    assert run("import", file, *(f"--map={pair}" for pair in mapping)) == 0

    (ada,) = client.list()
    assert (ada.family_name, ada.phone, ada.external_id) == ("Lovelace", "+442071838750", "=7")
    assert ada.metadata.to_dict() == {"plan": "team"}
    assert [(address.line1, address.country) for address in ada.addresses] == [
        ("1 High Street", "GB")
    ]
    assert capsys.readouterr() == ("imported 1 of 1 rows\n", "")


def test_lines_are_imported(run: Run, client: Customers, tmp_path: Path) -> None:
    file = tmp_path / "new.ndjson"
    lines = [
        {"mail": "ada@example.com", "given_name": "Ada", "metadata": {"a": "b"}, "version": 7},
        {"mail": "grace@example.com", "given_name": "Grace", "phone": None},
    ]
    file.write_text("\n\n".join(json.dumps(line) for line in lines))
    assert run("import", file, "--map=mail=email") == 0
    assert emails(client) == ["ada@example.com", "grace@example.com"]


def test_rejected_rows_are_corrected_and_imported(
    run: Run, client: Customers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = people(120)
    rows[3]["email"] = "nobody"
    rows[7]["email"] = rows[6]["email"].upper()
    rows[115]["given_name"] = ""
    file = write_csv(tmp_path / "new.csv", *rows)

    assert run("import", file) == 1

    rejected = tmp_path / "new.rejected.csv"
    assert capsys.readouterr().out == (
        f"imported 117 of 120 rows\nrejected 3 rows: correct and import {rejected}\n"
    )
    found = read_csv(rejected)
    assert [row["email"] for row in found] == [
        rows[3]["email"],
        "C6@EXAMPLE.COM",
        "c115@example.com",
    ]
    assert found[0]["reason"].startswith("email: Must be an email address")
    assert len(emails(client)) == 117
    found[0]["email"], found[1]["email"], found[2]["given_name"] = "a@b.example", "b@b.example", "C"
    write_csv(rejected, *found)
    assert run("import", rejected) == 0
    assert len(emails(client)) == 120


def test_row_that_conflicts_does_not_stop_its_batch(
    run: Run, client: Customers, server: Server, tmp_path: Path
) -> None:
    taken = write_csv(tmp_path / "taken.csv", *people(3)[1:])
    run("import", taken)
    file = write_csv(tmp_path / "new.csv", *people(64))
    server.sent.clear()

    assert run("import", file) == 1

    reasons = [(row["email"], row["reason"]) for row in read_csv(tmp_path / "new.rejected.csv")]
    message = "email: Already used by another customer."
    assert reasons == [("c1@example.com", message), ("c2@example.com", message)]
    assert len(emails(client)) == 64
    assert len(server.sent) < 30


def test_repeated_import_without_its_state_changes_nothing(
    run: Run, client: Customers, server: Server, tmp_path: Path
) -> None:
    """Rows of a halved batch are recognized, although each conflicts with the earlier import."""
    taken = write_csv(tmp_path / "taken.csv", *people(2))
    run("import", taken)
    file = write_csv(tmp_path / "new.csv", *people(150), {"email": "nobody", "given_name": ""})
    assert run("import", file) == 1
    before, rejected = emails(client), (tmp_path / "new.rejected.csv").read_text()
    for path in tmp_path.glob("*.state*"):
        path.unlink()
    server.faults += [LOST, problem(503), None, problem(429)]

    assert run("import", file) == 1

    assert emails(client) == before
    assert (tmp_path / "new.rejected.csv").read_text() == rejected
    assert len(read_csv(tmp_path / "new.rejected.csv")) == 3


def test_import_that_is_done_sends_nothing(
    run: Run, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_csv(tmp_path / "new.csv", *people(3), {"email": "nobody", "given_name": ""})
    assert run("import", file) == 1
    first = capsys.readouterr().out
    server.sent.clear()
    rejected = tmp_path / "new.rejected.csv"
    rejected.write_text("corrected")
    assert run("import", file) == 1
    assert (capsys.readouterr().out, server.sent) == (first, [])
    assert rejected.read_text() == "corrected"


def test_changed_file_is_a_new_import(
    run: Run, client: Customers, server: Server, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "new.csv", *people(100))
    run("import", file)
    write_csv(file, *people(105))
    assert run("import", file) == 0
    assert len(emails(client)) == 105
    assert [sent.status for sent in server.sent[:3]] == [201, 201, 201]


@pytest.mark.parametrize("fault", [problem(403), Fault(500), Fault(200)], ids=str)
def test_failed_import_continues(  # noqa: PLR0913, PLR0917 (fixtures)
    run: Run,
    client: Customers,
    server: Server,
    fault: Fault,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = write_csv(tmp_path / "new.csv", *people(300))
    server.faults += [None, None, fault]
    assert run("import", file, "--parallel=1") == 2
    assert capsys.readouterr().err.startswith("customers: ")
    server.sent.clear()
    assert run("import", file) == 0
    assert len(emails(client)) == 300
    assert len([sent for sent in server.sent if sent.method == "POST"]) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_interrupted_import_continues(  # noqa: PLR0913, PLR0917 (fixtures)
    run: Run,
    client: Customers,
    server: Server,
    token: str,
    number: int,
    status: int,
    tmp_path: Path,
) -> None:
    taken = write_csv(tmp_path / "taken.csv", {"email": "c0@example.com", "given_name": "Other"})
    run("import", taken)
    file = write_csv(tmp_path / "new.csv", *people(300))
    pids: list[int] = []
    server.faults += [*[None] * 6, Fault(before=lambda: os.kill(pids[0], number), cut=True)]
    with spawn(server, token, "import", file) as process:
        pids.append(process.pid)
        _, error = process.communicate()
    assert process.returncode == status
    assert "Traceback" not in error

    assert run("import", file) == 1

    assert len(emails(client)) == 300
    assert [row["email"] for row in read_csv(tmp_path / "new.rejected.csv")] == ["c0@example.com"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"email,email\na@b.example,x\n", "the header has two columns email"),
        (b"E-Mail\na@b.example\n", "the header has the unknown column E-Mail"),
        (b"given_name\nAda\n", "the header has no column for the field email. Fields: email, "),
        (b"", "the header has no column for the field email"),
        (b"email,given_name\na@b.example,J\xfcrgen\n", "the text has another encoding"),
        (b"email,given_name\na@b.example,Ada\nb@b.example,\xff\n", "encoding"),
        ("email\na@b.example\n".encode("utf-16"), "the text has another encoding"),
        (b'email\n"a@b.example', "at the beginning: unexpected end of data"),
    ],
)
def test_invalid_file_is_not_sent(  # noqa: PLR0913, PLR0917 (fixtures)
    run: Run,
    server: Server,
    content: bytes,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "new.csv"
    file.write_bytes(content)
    assert run("import", file) == 2
    assert f"{file}: " in (error := capsys.readouterr().err)
    assert message in error
    assert server.sent == []


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("Name=given_name", "no column Name"),
        ("given_name=email", "two columns for the field email"),
    ],
)
def test_invalid_mapping_is_not_sent(
    run: Run, pair: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_csv(tmp_path / "new.csv", *people(1))
    assert run("import", file, f"--map={pair}") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("encoding", "options"),
    [("utf-8-sig", []), ("utf-16", ["--encoding=utf-16"]), ("cp1252", ["--encoding=cp1252"])],
)
def test_encodings_are_read_and_kept(
    run: Run, client: Customers, encoding: str, options: list[str], tmp_path: Path
) -> None:
    rows = [
        {"email": "a@b.example", "given_name": "Jürgen"},
        {"email": "nobody", "given_name": "José"},
    ]
    file = write_csv(tmp_path / "new.csv", *rows, encoding=encoding)
    assert run("import", file, *options) == 1
    assert [customer.given_name for customer in client.list()] == ["Jürgen"]
    rejected = tmp_path / "new.rejected.csv"
    rejected.write_bytes(
        rejected.read_bytes().decode(encoding).replace("nobody", "c@b.example").encode(encoding)
    )
    assert run("import", rejected, *options) == 0
    assert len(emails(client)) == 2


def test_rows_that_are_no_customers_are_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("email,given_name,addresses\na@b.example\nb@b.example,B,[,x\nc@b.example,C,[\n")
    assert run("import", file) == 1
    lines = (tmp_path / "new.rejected.csv").read_text().splitlines()
    assert lines[0] == "email,given_name,addresses,reason"
    assert lines[1] == 'a@b.example,,,"Has 1 cells, but the header has 3."'
    assert lines[2] == 'b@b.example,B,[,"Has 4 cells, but the header has 3.",x'
    assert lines[3].startswith("c@b.example,C,[,addresses: Must be JSON: ")


def test_lines_that_are_no_customers_are_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    lines = ['{"email"', "7", '{"email": NaN}', '{"other": "\\ud800"}', "[" * 100_000]
    file.write_text("\n".join(lines))
    assert run("import", file) == 1
    found = [
        json.loads(line) for line in (tmp_path / "new.rejected.jsonl").read_text().splitlines()
    ]
    assert [line["line"] for line in (*found[:2], found[4])] == [*lines[:2], lines[4]]
    assert found[3]["other"] == "\ud800"
    assert all(line["reason"] for line in found)


def test_second_transfer_with_the_same_state_is_rejected(
    run: Run, server: Server, token: str, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "new.csv", *people(1))
    errors: list[str] = []

    def other() -> None:
        with spawn(server, token, "import", file) as process:
            errors.append(process.communicate()[1])

    server.faults += [Fault(before=other)]
    assert run("import", file) == 0
    assert "Wait until the other transfer has ended" in errors[0]


def test_export_can_be_imported_again(run: Run, database: Database, tmp_path: Path) -> None:
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    values = [
        '=cmd|"/C calc"!A0',
        "'=1+1",
        "''x",
        "+44",
        "@x",
        "-",
        "O'Neil",
        'a"b',
    ]
    lines = [
        {
            "email": f"c{number}@example.com",
            "given_name": value,
            "phone": "+442071838750",
            "addresses": [{"line1": value, "country": "GB", "city": "Köln"}],
            "metadata": {"note": value},
        }
        for number, value in enumerate(values)
    ]
    lines += [{"email": f"{n}@example.com", "company_name": f"Company {n}"} for n in range(110)]
    first.write_text("\n".join(json.dumps(line) for line in lines))
    assert run("import", first) == 0
    age(database)
    assert run("export", second) == 0
    table = tmp_path / "table.csv"
    assert run("export", table) == 0
    assert stat_mode(table) == 0o600
    cells = read_csv(table)
    assert {row["given_name"][:1] for row in cells} <= {"", "'", "O", "a", "+"}
    assert {row["phone"] for row in cells} == {"", "+442071838750"}

    for source in (second, table):
        database.execute("DELETE FROM customers")
        assert run("import", source) == 0
        age(database)
        again = tmp_path / f"{source.name}.again.ndjson"
        assert run("export", again) == 0
        assert comparable(again) == comparable(second)
    assert len(comparable(second)) == len(lines)


def stat_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def comparable(path: Path) -> dict[str, dict[str, Any]]:
    customers = [json.loads(line) for line in path.read_text().splitlines()]
    return {customer["email"]: {name: customer[name] for name in KEPT} for customer in customers}


def test_export_continues_after_a_failure(
    run: Run, client: Customers, server: Server, database: Database, tmp_path: Path
) -> None:
    run("import", write_csv(tmp_path / "new.csv", *people(250)))
    age(database)
    file = tmp_path / "all.csv"
    server.faults += [None, Fault(500)]
    assert run("export", file) == 2
    assert not file.exists()
    with (tmp_path / "all.csv.part").open("a") as part:
        part.write("half a li")
    server.sent.clear()
    assert run("export", file) == 0
    assert sorted(row["email"] for row in read_csv(file)) == emails(client)
    assert len([sent for sent in server.sent if "changes" in sent.path]) == 2
    assert "half a li" not in file.read_text()
    assert {path.name for path in tmp_path.glob("all*")} == {"all.csv"}


def test_export_begins_again_without_its_unfinished_file(
    run: Run, server: Server, database: Database, tmp_path: Path
) -> None:
    run("import", write_csv(tmp_path / "new.csv", *people(150)))
    age(database)
    file = tmp_path / "all.csv"
    server.faults += [None, Fault(500)]
    assert run("export", file) == 2
    (tmp_path / "all.csv.part").unlink()
    assert run("export", file) == 0
    assert len(read_csv(file)) == 150


def test_export_has_no_outdated_customer(
    run: Run, client: Customers, server: Server, database: Database, tmp_path: Path
) -> None:
    run("import", write_csv(tmp_path / "new.csv", *people(240)))
    age(database, minutes=4)
    first = [item for page in client.changes() for item in page.items][:4]

    def change() -> None:
        client.erase(first[0].id)
        client.delete(first[1].id)
        client.update(first[2].id, lambda _: CustomerPatch(given_name="Changed"))
        database.execute(  # the feed shows these changes at once
            "UPDATE customers SET changed_at = changed_at - INTERVAL 61 SECOND"
            " WHERE changed_at > NOW(3) - INTERVAL 60 SECOND"
        )

    server.faults += [None, Fault(before=change), *[None] * 6]

    file = tmp_path / "all.ndjson"
    assert run("export", file) == 0

    text = file.read_text()
    found = {line["id"]: line for line in map(json.loads, text.splitlines())}
    assert len(found) == len(text.splitlines()) == 238
    assert not {str(first[0].id), str(first[1].id)} & found.keys()
    assert found[str(first[2].id)]["given_name"] == "Changed"
    assert str(first[0].email) not in text


def test_export_never_overwrites(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "all.csv").write_text("mine")
    assert run("export", tmp_path / "all.csv") == 2
    assert "exists. Remove it" in capsys.readouterr().err
    assert (tmp_path / "all.csv").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["all.csv"]


def test_malformed_feed_is_reported(
    run: Run, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults += [Fault(200)]
    assert run("export", tmp_path / "all.csv") == 2
    assert "GET /customers/changes: the response is not as documented" in capsys.readouterr().err


def test_full_disk_is_reported_and_the_export_continues(
    run: Run, server: Server, token: str, database: Database, tmp_path: Path
) -> None:
    run("import", write_csv(tmp_path / "new.csv", *people(210)))
    age(database)
    file = tmp_path / "all.ndjson"
    with spawn(server, token, "export", file, limit="60") as process:
        _, error = process.communicate()
    assert process.returncode == 2
    assert error.startswith("customers: ")
    assert run("export", file) == 0
    assert len(comparable(file)) == 210


def test_closed_output_is_no_traceback(server: Server, token: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    file = write_csv(tmp_path / "new.csv", *people(1))
    with spawn(server, token, "import", file, stdout=write) as process:
        os.close(write)
        _, error = process.communicate()
    assert (process.returncode, error) == (2, "")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"BASE_URL": ""}, "Set BASE_URL"),
        ({"TOKEN": ""}, "Set TOKEN, or pass --token-command"),
        ({"TOKEN": "a b"}, "The token has characters"),
    ],
)
def test_missing_target_is_reported(  # noqa: PLR0913, PLR0917 (fixtures)
    run: Run,
    environment: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run("import", write_csv(tmp_path / "new.csv", *people(1))) == 2
    assert message in capsys.readouterr().err


def test_token_command_is_used(
    run: Run, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN")
    file = write_csv(tmp_path / "new.csv", *people(1))
    assert run("import", file, "--token-command", "false") == 2
    assert run("import", file, "--token-command", f"echo {token}") == 0


def test_unknown_format_is_reported(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", tmp_path / "new.txt") == 2
    assert "Pass --format csv or ndjson" in capsys.readouterr().err
    assert run("import", tmp_path / "new.csv") == 2
    assert "No such file" in capsys.readouterr().err
