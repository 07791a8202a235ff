"""The Makefile lists its commands, and no command is forgotten where they are tried."""

import re
import subprocess

from local.processes import PROJECT
from tests.makefile import ALONE, BESIDE, LAST, NOT_TRIED, SERVED


def test_each_command_is_tried_from_an_odd_path_or_says_why_not() -> None:
    rules = re.findall(r"^([a-z-]+):.*##", (PROJECT / "Makefile").read_text(), re.MULTILINE)

    assert sorted([*SERVED, *BESIDE, *ALONE, *LAST, *NOT_TRIED]) == sorted(rules)


def test_help_lists_each_command() -> None:
    done = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True)

    for command in (*SERVED, *BESIDE, *ALONE, *LAST, *NOT_TRIED):
        assert re.search(rf"^  make {command} +\S", done.stdout, re.MULTILINE), command
