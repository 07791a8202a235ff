"""Build a stage's package reproducibly: a commit always results in the same bytes.

Chalice packages a clean copy of its sources, and checks the hashes of requirements.txt. Then
`build` completes the template, and writes the archives again without timestamps and modes.
Two machines get identical archives if both use zlib 1.2 or 1.3 (zlib-ng compresses differently)
and the same release of the functions' Python compiled the bytecode.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infrastructure import gateway, interpreters, rotating, template
from infrastructure.stages import PYTHON, RUNTIME, Stage

ROOT = Path(__file__).parent.parent
SOURCES = ("app.py", "requirements.txt", "chalicelib", ".chalice")
# Requirements by layer. They omit packages that the Lambda runtime or the app provides.
LAYERS: Mapping[str, str] = {
    "authorizer": "requirements/authorizer.txt",
    "tracing": "requirements/tracing.txt",
}
# Amazon Linux, which runs the functions, regardless of the machine that builds the package.
PLATFORM = ("--platform", "manylinux2014_x86_64", "--only-binary", ":all:")
INTERPRETER = ("--implementation", "cp", "--python-version", PYTHON)
# Never imported: the app makes no DNS queries, needs only the names of time zones and countries,
# and of phone numbers neither short ones, nor places, carriers and time zones. cryptography needs
# only the compiled part of cffi, and no certificates to verify signatures. A layer's scripts have
# the path of the Python that installed them: layers would differ by machine.
OMITTED = (
    *("dns/", "dnspython-"),
    *("email_validator/__main__.", "email_validator/deliverability."),
    *(f"idna/{module}." for module in ("__main__", "cli", "codec", "compat")),
    *("marshmallow/experimental/", "python/bin/", "tzdata/zoneinfo/"),
    *("python/cffi/", "python/pycparser", "python/cryptography/x509/"),
    *(f"phonenumbers/{module}." for module in ("carrier", "geocoder", "prefix", "timezone")),
    "phonenumbers/shortdata/region_",
)
# Of 245 countries, a function loads the data of few, and it is compiled quickly.
UNCOMPILED = "/phonenumbers/data/region_"
COUNTRIES = "tzdata/zoneinfo/iso3166.tab"
PIP_METADATA = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "METADATA", "direct_url.json"}
# Next to the sources, without docstrings and file times
BYTECODE = ("-b", "-o", "2", "--invalidation-mode", "unchecked-hash", "-x", UNCOMPILED)
WITHOUT_BYTECODE = (
    f"warning: this machine has no Python {PYTHON}, so the package contains no bytecode. Each"
    " cold start compiles the code, and costs 492 instead of 145 million instructions."
    f" {interpreters.ADVICE}"
)
TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP archive can store


class PackagingError(Exception):
    """A command failed. The message contains the command and its error output."""


def build(stage: Stage, out: Path, warn: Callable[[str], None] = print) -> None:
    """Write the template, the code, the layers and the gateway document of a stage into `out`.

    Warns once if this machine lacks the Python that compiles the bytecode. Raises PackagingError
    if a command fails; then `out` is unchanged.
    """
    python = interpreters.find(PYTHON)
    if not python:
        warn(WITHOUT_BYTECODE)
    build_with(python, stage, out)


def build_with(python: Path | None, stage: Stage, out: Path) -> None:
    """Build with the bytecode of this Python; without bytecode if it is None."""
    with TemporaryDirectory(prefix="customers-package-") as place:
        made = Path(place, "made")
        _package(stage, Path(place, "source"), made, python)
        for name, requirements in LAYERS.items():
            _install(ROOT / requirements, Path(place, name, "python"))
            compile_all(Path(place, name), "/opt", python)
            write_zip(made / f"{name}.zip", _files(Path(place, name)))
        write_zip(made / rotating.ARCHIVE, rotating.files())
        _set_release(made)
        out.mkdir(parents=True, exist_ok=True)
        for file in sorted(made.iterdir()):
            shutil.copyfile(file, out / file.name)


def _package(stage: Stage, source: Path, made: Path, python: Path | None) -> None:
    """Let Chalice package a clean copy, complete its template, and write its archive again."""
    _copy_sources(source)
    _run([sys.executable, "-c", CHALICE, "package", "--stage", stage.name, str(made)], source)
    document = gateway.document(stage)
    packaged = json.loads((made / "sam.json").read_text())
    _write_json(made / "gateway.json", document)
    _write_json(made / "sam.json", template.complete(packaged, stage, document))
    code = source / "code"
    with ZipFile(made / "deployment.zip") as archive:
        archive.extractall(code, [name for name in archive.namelist() if _is_needed(name)])
    compile_all(code, "/var/task", python)
    write_zip(made / "deployment.zip", _files(code))


def _set_release(made: Path) -> None:
    """Set the release to a hash of all files, so that any change publishes new versions."""
    digest = hashlib.sha256()
    for path in sorted(made.iterdir()):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    completed = json.loads((made / "sam.json").read_text())
    completed["Parameters"]["Release"]["Default"] = digest.hexdigest()
    _write_json(made / "sam.json", completed)


# Chalice chooses wheels for the Python that runs it, unless this attribute names another.
CHALICE = f"""
import sys
from chalice.cli import main
from chalice.config import Config
Config.lambda_python_version = {RUNTIME!r}
sys.argv[0] = "chalice"
sys.exit(main())
"""


def _copy_sources(target: Path) -> None:
    target.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_file():
            shutil.copyfile(source, target / name)
        else:
            unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")
            shutil.copytree(source, target / name, ignore=unwanted)


def _install(requirements: Path, target: Path) -> None:
    """Install the pinned packages for the functions' platform, and check their hashes."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    checked = ["--require-hashes", "--requirement", str(requirements), "--target", str(target)]
    _run([*pip, *PLATFORM, *INTERPRETER, *checked], ROOT)


def compile_all(directory: Path, place: str, python: Path | None) -> None:
    """Replace the directory's modules by bytecode. `place` is the directory's path in the function.

    A function can't write bytecode next to its code, so it would compile at each cold start.
    `python` must have the functions' version, whose bytecode format they need; if it is None, the
    modules remain sources.
    """
    if python:
        where = ["-s", str(directory), "-p", place, str(directory)]
        _run([str(python), "-I", "-m", "compileall", "-q", *BYTECODE, *where], directory)
        for source in directory.rglob("*.py"):
            if source.with_suffix(".pyc").exists():
                source.unlink()


def _run(command: list[str], directory: Path) -> None:
    # The package must not depend on the developer's AWS account or settings
    environment = {name: each for name, each in os.environ.items() if not name.startswith("AWS_")}
    environment["AWS_DEFAULT_REGION"] = "us-east-1"
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # only `compile_all` adds bytecode to the package
    done = subprocess.run(  # noqa: S603 (no user input)
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        output = (done.stderr or done.stdout).strip()
        raise PackagingError(f"`{' '.join(command[:4])} ...` failed: {output}")


def _is_needed(name: str) -> bool:
    """Return whether the package needs the file. It must contain the licenses."""
    is_metadata = ".dist-info/" in name and Path(name).name in PIP_METADATA
    return name == COUNTRIES or not (
        name.startswith(OMITTED) or is_metadata or name.endswith((".pyi", "/"))
    )


def _files(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    files = {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in files.items() if _is_needed(name)}


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """Write an archive that depends only on names and contents."""
    with ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = ZipInfo(name, TIMESTAMP)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # Unix, rw-r--r--
            archive.writestr(entry, files[name], ZIP_DEFLATED, compresslevel=9)


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
