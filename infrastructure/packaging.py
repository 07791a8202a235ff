"""What is deployed of a commit: `build` writes the same bytes whenever and wherever it runs.

Chalice packages a clean copy of what it needs, with the hashes of requirements.txt checked; then
the template is completed, and the archives are made anew. Two machines get the same archives
if their zlib compresses alike, as every zlib 1.2 and 1.3 does (zlib-ng compresses otherwise), and
if the same release of the functions' Python made the bytecode.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infrastructure import gateway, interpreters, template
from infrastructure.stages import PYTHON, RUNTIME, Stage

ROOT = Path(__file__).parent.parent
SOURCES = ("app.py", "requirements.txt", "chalicelib", ".chalice")
# The packages of each layer: whose requirements, and without what the runtime or the app has.
LAYERS: Mapping[str, str] = {
    "authorizer": "requirements/authorizer.txt",
    "tracing": "requirements/tracing.txt",
}
# The functions' Amazon Linux, whatever builds for it
PLATFORM = ("--platform", "manylinux2014_x86_64", "--only-binary", ":all:")
INTERPRETER = ("--implementation", "cp", "--python-version", PYTHON)
# Never imported: no email address is looked up in the DNS, only names of time zones are used.
# Programs of a layer name the Python that installed them: each machine would build another layer.
LEFT_OUT = (
    *("dns/", "email_validator/__main__.", "email_validator/deliverability."),
    *(f"idna/{module}." for module in ("__main__", "cli", "codec", "compat")),
    *("marshmallow/experimental/", "tzdata/zoneinfo/", "python/bin/"),
)
OF_PIP = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "METADATA", "direct_url.json"}
CHECKED = ("--invalidation-mode", "checked-hash")
WITHOUT_BYTECODE = (
    f"warning: there is no Python {PYTHON} on this machine, so the package has no bytecode. Each"
    " cold start compiles the code, and costs 435 instead of 148 million instructions."
    f" {interpreters.ADVICE}"
)
OLDEST = (1980, 1, 1, 0, 0, 0)  # what a ZIP archive can say of time


class PackagingError(Exception):
    """The package can't be made; the message says what failed, and what it said itself."""


def build(stage: Stage, out: Path, warn: Callable[[str], None] = print) -> None:
    """Write the template, the code, the layers and the gateway document of a stage into `out`.

    Warns once if this machine lacks the Python that compiles the bytecode. Raises PackagingError;
    `out` has nothing new then.
    """
    python = interpreters.find(PYTHON)
    if not python:
        warn(WITHOUT_BYTECODE)
    with TemporaryDirectory(prefix="customers-package-") as place:
        made = Path(place, "made")
        _package(stage, Path(place, "source"), made, python)
        for name, requirements in LAYERS.items():
            _install(ROOT / requirements, Path(place, name, "python"))
            compile_all(Path(place, name), "/opt", python)
            write_zip(made / f"{name}.zip", _files(Path(place, name)))
        _name_release(made)
        out.mkdir(parents=True, exist_ok=True)
        for file in sorted(made.iterdir()):
            shutil.copyfile(file, out / file.name)


def _package(stage: Stage, source: Path, made: Path, python: Path | None) -> None:
    """Have Chalice package a clean copy, then complete its template and make its archive anew."""
    _copy(source)
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


def _name_release(made: Path) -> None:
    """Name what was made by all of it: where anything differs, functions get a new version."""
    digest = hashlib.sha256()
    for path in sorted(made.iterdir()):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    completed = json.loads((made / "sam.json").read_text())
    completed["Parameters"]["Release"]["Default"] = digest.hexdigest()
    _write_json(made / "sam.json", completed)


# Chalice takes the running Python for the functions', which decides the wheels that it packages
CHALICE = f"""
import sys
from chalice.cli import main
from chalice.config import Config
Config.lambda_python_version = {RUNTIME!r}
sys.argv[0] = "chalice"
sys.exit(main())
"""


def _copy(target: Path) -> None:
    target.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_file():
            shutil.copyfile(source, target / name)
        else:
            unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")
            shutil.copytree(source, target / name, ignore=unwanted)


def _install(requirements: Path, target: Path) -> None:
    """Install what the file pins, as the functions' platform has it, with its hashes checked."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    checked = ["--require-hashes", "--requirement", str(requirements), "--target", str(target)]
    _run([*pip, *PLATFORM, *INTERPRETER, *checked], ROOT)


def compile_all(directory: Path, place: str, python: Path | None) -> None:
    """Write the bytecode of what is in the directory, and will be at `place` in the function.

    A function can't write it where its code is, and would compile at each cold start. `python` is
    of the functions' version, because they read no other's bytecode; None leaves the bytecode out.
    It goes with the content of the source, not with its time, which is not kept.
    """
    if python:
        where = ["-s", str(directory), "-p", place, str(directory)]
        _run([str(python), "-I", "-m", "compileall", "-q", *CHECKED, *where], directory)


def _run(command: list[str], directory: Path) -> None:
    # Neither the developer's account nor their settings have a say in what is packaged
    environment = {name: each for name, each in os.environ.items() if not name.startswith("AWS_")}
    environment["AWS_DEFAULT_REGION"] = "us-east-1"
    done = subprocess.run(  # noqa: S603 (commands of our own)
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise PackagingError(f"`{' '.join(command[:4])} ...` failed: {said}")


def _is_needed(name: str) -> bool:
    """Whether the function needs the file; licenses stay with what they are of."""
    is_about_itself = ".dist-info/" in name and Path(name).name in OF_PIP
    return not (
        name.replace("__pycache__/", "").startswith(LEFT_OUT)
        or is_about_itself
        or name.endswith((".pyi", "/"))
    )


def _files(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    files = {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in files.items() if _is_needed(name)}


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """Write an archive that depends on nothing but names and contents."""
    with ZipFile(path, "w") as archive:
        for name in _in_order(files):
            entry = ZipInfo(name, OLDEST)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # Unix, rw-r--r--
            archive.writestr(entry, files[name], ZIP_DEFLATED, compresslevel=9)


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names)


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
