"""Break the code in small ways, and report the faults that no test notices.

By default, only the lines that differ from main are mutated. Outcomes are kept in out/mutation, so
an interrupted run continues. The exit code is 1 if a mutant of changed lines survived, or if the
score of a package fell.
"""

import argparse
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence

import pytest

from tests.mutation import scores
from tests.mutation.mutants import ROOT, Mutant, read
from tests.mutation.results import KILLED, SUITE, Results
from tests.mutation.running import Runner

OUT = ROOT / "out" / "mutation"
TESTS = [str(file) for place in SUITE for file in sorted(ROOT.glob(f"{place}/test_*.py"))]
QUIET = ["-qq", "--no-summary", "-p", "no:cacheprovider", "-p", "no:faker"]
OPTIONS = ["-m", "not slow and not exhaustive", *QUIET]


def main() -> int:
    arguments = _parse()
    everything = [mutant for file in scores.sources() for mutant in read(file)]
    if arguments.sample:
        mutants = scores.sample(everything, arguments.sample)
    else:
        changed = changed_lines(arguments.since)
        mutants = [each for each in everything if not changed[each.path].isdisjoint(each.lines)]
    mutants = [each for each in mutants if each.path.startswith(tuple(arguments.only))]
    OUT.mkdir(parents=True, exist_ok=True)
    results = Results(OUT / "results.jsonl")
    justified = scores.justifications()
    open_ = [each for each in mutants if scores.key(each) not in justified]
    _run([each for each in open_ if not results[each]], results)
    survivors = [each for each in open_ if results[each] != KILLED]
    for survivor in survivors:
        print(f"survived  {survivor}")
    found = scores.count(everything, mutants, survivors)
    for name, score in found.items():
        print(f"{name:<10} {score}")
    is_of_packages = arguments.sample and not any(only.endswith(".py") for only in arguments.only)
    return _compare(found) if is_of_packages else bool(survivors)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("make mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--since", default="main", help="mutate the lines changed since a commit")
    everything = "mutate everything, and compare the scores with the recorded ones"
    parser.add_argument(
        "--all", action="store_const", const=sys.maxsize, dest="sample", help=everything
    )
    sample = "as --all, with this number of mutants of each package; always the same ones"
    parser.add_argument("--sample", type=int, default=0, metavar="NUMBER", help=sample)
    only = "mutate only files that start with this, such as chalicelib/http"
    parser.add_argument("only", nargs="*", default=[""], help=only)
    return parser.parse_args()


def changed_lines(since: str) -> dict[str, set[int]]:
    """Return the lines of the working tree that differ from the common ancestor with a commit."""
    command = ["git", "diff", "--unified=0", "--merge-base", since, "--", "chalicelib"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if shown.returncode:
        sys.exit(f"error: git can't compare with {since}: {shown.stderr.strip()}")
    found: dict[str, set[int]] = defaultdict(set)
    path = ""
    for line in shown.stdout.splitlines():
        if line.startswith("+++ "):
            path = line.removeprefix("+++ b/")
        elif hunk := re.match(r"@@ \S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            found[path].update(range(first, first + count))
    return found


def _run(mutants: Sequence[Mutant], results: Results) -> None:
    """Try the mutants in random order, so that the outcomes of an interrupted run are a sample."""
    if mutants:
        runner = Runner(scores.shuffle(mutants), OUT / "executions.json", results.add)
        code = pytest.main([*OPTIONS, *TESTS], plugins=[runner])
        results.forget(runner.doubtful)
        if not all(results[each] for each in mutants):
            sys.exit(f"Incomplete (pytest's exit code: {code}). Run the command again to continue.")


def _compare(found: dict[str, scores.Score]) -> int:
    """Print the scores that fell; record the complete ones if none did. Return the exit code."""
    fallen = scores.fallen(found)
    for line in fallen:
        print(line)
    if not fallen:
        scores.record(found)
    return bool(fallen)


if __name__ == "__main__":
    sys.exit(main())
