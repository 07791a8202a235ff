"""Make `.venv` with what `requirements-dev.txt` pins, on a machine that has nothing but Python.

It runs before anything is installed: standard library only.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 (this is where an older one is told)
        version = ".".join(map(str, sys.version_info[:3]))
        return fail(f"Python 3.11 or newer is needed, this is {version}: make PYTHON=python3.12")
    try:
        make_venv()
        said = "installing the development tools into .venv; the first time takes a minute"
        print(said, file=sys.stderr)
        install()
    except subprocess.CalledProcessError as error:
        return fail(
            f"`{' '.join(map(str, error.cmd))}` failed; mend what it says, and run it again"
        )
    except OSError as error:
        return fail(f"{VENV} can't be made: {error}")
    return 0


def make_venv() -> None:
    """Make the environment, unless it is there; Debian's Python lacks a package for it."""
    if (VENV / "bin" / "pip").exists():
        return
    if not importlib.util.find_spec("ensurepip"):
        install_ensurepip()
    shutil.rmtree(VENV, ignore_errors=True)
    run(sys.executable, "-m", "venv", VENV)


def install_ensurepip() -> None:
    wait = ["-o", "DPkg::Lock::Timeout=120"]  # for a new machine's own updates
    command = ["apt-get", *wait, "install", "-y", "--no-install-recommends", "python3-venv"]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise OSError(f"this Python has no ensurepip; on Debian: sudo {' '.join(command)}")
    run("apt-get", "update")
    run(*command)


def install() -> None:
    pip = VENV / "bin" / "pip"
    # not compiled: that would be a third of the time, and most of it is never imported
    options = ("--disable-pip-version-check", "--no-compile", "--require-hashes")
    run(pip, "install", *options, "--requirement", ROOT / "requirements-dev.txt")


def run(*command: str | Path) -> None:
    # standard output is the command's that needs the tools: `$(make -s token)`
    subprocess.run(command, check=True, stdout=sys.stderr)


def fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
