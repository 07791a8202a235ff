"""The import contracts in pyproject.toml hold, and `lint-imports` fails if one is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def lint_imports(root: Path) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "app.py", tmp_path)
    bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "chalicelib", tmp_path / "chalicelib", ignore=bytecode)
    return tmp_path


def test_import_contracts_are_kept(copy: Path) -> None:
    code, output = lint_imports(copy)

    assert code == 0, output


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("http/headers.py", "chalicelib.customers.fields", "Packages import downwards only"),
        ("database/errors.py", "chalicelib.http.problems", "Packages import downwards only"),
        ("observability/logs.py", "chalicelib.database.errors", "Packages import downwards only"),
        ("customers/fields.py", "chalicelib.tokens.keys", "Packages import downwards only"),
        ("database/clients.py", "chalicelib.database.slim", "No package has an import cycle"),
        ("http/documents.py", "chalicelib.http.values", "No package has an import cycle"),
        ("database/mysql.py", "chalicelib.database", "Implementations of the database"),
        ("database/slim/endpoints.py", "chalicelib.database", "Implementations of the database"),
        ("settings.py", "app", "The service imports none of its tools"),
    ],
)
@pytest.mark.exhaustive
def test_import_against_a_contract_is_reported(
    copy: Path, module: str, imported: str, contract: str
) -> None:
    """Lazy imports count, too."""
    planted = f"\n\ndef _planted() -> None:\n    import {imported}\n"
    with (copy / "chalicelib" / module).open("a") as file:
        file.write(planted)

    code, output = lint_imports(copy)

    broken = [line for line in output.splitlines() if line.endswith("BROKEN")]
    assert code == 1
    assert any(line.startswith(contract) for line in broken), output


def test_http_does_not_mention_a_resource() -> None:
    texts = {path: path.read_text().lower() for path in (ROOT / "chalicelib/http").rglob("*.py")}

    assert [path.name for path, text in texts.items() if "customer" in text] == []
