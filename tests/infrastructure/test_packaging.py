"""Archives depend only on their contents. `make contract` builds the whole package."""

import json
import os
import py_compile
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from infrastructure import interpreters, packaging
from infrastructure.stages import PYTHON, STAGES

FILES = {"b/c.py": b"1", "a.py": b"2" * 999, "b/a.py": b""}


def test_archive_depends_only_on_names_and_contents(tmp_path: Path) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    packaging.write_zip(first, FILES)
    previous = os.umask(0o077)
    try:
        packaging.write_zip(second, dict(reversed(FILES.items())))
    finally:
        os.umask(previous)

    assert first.read_bytes() == second.read_bytes()
    with ZipFile(first) as opened:
        assert opened.namelist() == sorted(FILES)
        assert {name: opened.read(name) for name in FILES} == FILES
        for entry in opened.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.external_attr >> 16 == 0o100644


@pytest.mark.parametrize(
    ("name", "is_needed"),
    [
        ("app.py", True),
        ("chalicelib/openapi.json", True),
        ("tzdata/zones", True),
        ("tzdata/zoneinfo/Europe/London", False),
        ("dns/resolver.py", False),
        ("dnspython-2.9.2.dist-info/licenses/LICENSE", False),
        ("python/bin/cffi-gen-src", False),
        ("idna/codec.py", False),
        ("idna/cli.pyc", False),
        ("idna/core.py", True),
        ("idna-3.20.dist-info/licenses/LICENSE.md", True),
        ("idna-3.20.dist-info/RECORD", False),
        ("marshmallow/py.typed", True),
    ],
)
def test_unneeded_files_are_omitted(name: str, *, is_needed: bool) -> None:
    assert packaging._is_needed(name) is is_needed


def test_omitted_modules_are_not_imported() -> None:
    program = (
        "import sys, app; from chalicelib.customers import schemas, queries;"
        "schemas.load_customer({'email': 'ada@example.com', 'given_name': 'Ada',"
        " 'time_zone': 'Europe/London', 'phone': '+44 (0)20 7946 0000'});"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = set(json.loads(done.stdout))

    assert "email_validator" in modules
    assert not {each for each in modules if each.split(".")[0] in {"dns", "zoneinfo"}}
    left_out = {name.replace("/", ".").removesuffix(".") for name in packaging.OMITTED}
    assert {"idna.core", "marshmallow.fields", "phonenumbers.phonenumberutil"} <= modules
    assert modules.isdisjoint(left_out)


def test_bytecode_depends_only_on_names_and_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hash seeds (for constants that are sets) and file times don't change the bytecode."""
    source = (
        '"""Documentation."""\n'
        "SET = frozenset('abc')\n"
        "def is_in(x): return x in {'a', 'bb', 'ccc', 'dddd', None}\n"
    )
    made = []
    for number, directory in enumerate((tmp_path / "first", tmp_path / "second")):
        monkeypatch.setenv("PYTHONHASHSEED", str(number))
        (directory / "of").mkdir(parents=True)
        for name in ("it.py", "of/it.py"):
            (directory / name).write_text(source)
            os.utime(directory / name, (number, number))
        packaging.compile_all(directory, "/var/task", Path(sys.executable))
        made.append(packaging._files(directory))

    first, second = made
    assert first == second
    assert set(first) == {"it.pyc", "of/it.pyc"}
    assert b"/var/task/of/it.py" in first["of/it.pyc"]
    assert b"Documentation" not in first["it.pyc"]


def test_data_of_countries_is_not_compiled(tmp_path: Path) -> None:
    for name in ("phonenumbers/data/region_DE.py", "phonenumbers/data/alt_format_49.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    packaging.compile_all(tmp_path, "/var/task", Path(sys.executable))

    made = packaging._files(tmp_path)
    assert made.keys() == {"phonenumbers/data/region_DE.py", "phonenumbers/data/alt_format_49.pyc"}


def test_bytecode_in_a_cache_folder_replaces_no_source(tmp_path: Path) -> None:
    """`benchmarks.pythons` compiles programs for itself before it compiles the package."""
    (tmp_path / "it.py").touch()
    cached = py_compile.compile(str(tmp_path / "it.py"))

    packaging.compile_all(tmp_path, "/var/task", Path(sys.executable))

    assert {*tmp_path.rglob("*.py*")} == {tmp_path / "it.pyc", Path(str(cached))}


def build_with(monkeypatch: pytest.MonkeyPatch, out: Path, python: Path | None) -> list[str]:
    """Build a package with `python` as the only found interpreter; return the warnings."""
    warnings: list[str] = []

    def pack(_: object, source: Path, made: Path, chosen: Path | None) -> None:
        source.mkdir()
        made.mkdir()
        (source / "it.py").touch()
        (made / "sam.json").write_text('{"Parameters": {"Release": {}}}')
        packaging.compile_all(source, "/var/task", chosen)
        packaging.write_zip(made / "deployment.zip", packaging._files(source))

    monkeypatch.setattr(packaging, "_package", pack)
    monkeypatch.setattr(packaging, "LAYERS", {})
    monkeypatch.setattr(interpreters, "find", {PYTHON: python}.get)
    packaging.build(STAGES["dev"], out, warnings.append)
    return warnings


def test_python_of_the_functions_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake interpreter records that it was called."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\ntouch "{tmp_path}/asked"\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o700)

    assert build_with(monkeypatch, tmp_path / "out", program) == []
    assert (tmp_path / "asked").exists()
    with ZipFile(tmp_path / "out" / "deployment.zip") as made:
        assert made.namelist() == ["it.pyc"]


def test_package_without_bytecode_warns_about_its_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (warning,) = build_with(monkeypatch, tmp_path, None)

    assert f"this machine has no Python {PYTHON}" in warning
    assert re.search(r"\d+ instead of \d+ million instructions", warning)
    with ZipFile(tmp_path / "deployment.zip") as made:
        assert made.namelist() == ["it.py"]


def test_requirements_have_no_python_markers() -> None:
    """Markers would be evaluated for the Python that runs pip, not for the target Python."""
    for lock in ("requirements.txt", *packaging.LAYERS.values()):
        assert not re.search(r"\bpython_(full_)?version", (packaging.ROOT / lock).read_text()), lock


def test_module_that_does_not_compile_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "it.py").write_text("this is no Python")

    with pytest.raises(packaging.PackagingError, match=r"(?s)compileall.*it\.py"):
        packaging.compile_all(tmp_path, "/var/task", Path(sys.executable))


def test_failure_is_explained_and_leaves_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaging, "CHALICE", "import sys; sys.exit('There is no app.')")

    with pytest.raises(packaging.PackagingError, match=r"failed: There is no app\."):
        packaging.build(STAGES["dev"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
