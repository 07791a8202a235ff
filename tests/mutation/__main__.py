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
    mutants = [mutant for file in scores.sources() for mutant in read(file)]
    if arguments.sample:
        mutants = [each for each in mutants if each.rank < arguments.sample / 100]
    else:
        changed = changed_lines(arguments.since)
        mutants = [each for each in mutants if not changed[each.path].isdisjoint(each.lines)]
    if arguments.only:
        mutants = [each for each in mutants if each.path.startswith(tuple(arguments.only))]
    OUT.mkdir(parents=True, exist_ok=True)
    results = Results(OUT / "results.jsonl")
    _run(mutants, results)
    return _conclude(mutants, results, 0 if arguments.only else arguments.sample)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("make mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--since", default="main", help="mutate the lines changed since a commit")
    everything = "mutate everything, and compare the scores with the recorded ones"
    parser.add_argument("--all", action="store_const", const=100, dest="sample", help=everything)
    sample = "as --all, with this percentage of the mutants; always the same ones"
    parser.add_argument("--sample", type=int, default=0, metavar="PERCENT", help=sample)
    only = "mutate only files that start with this, such as chalicelib/http"
    parser.add_argument("only", nargs="*", help=only)
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
    justified = scores.justifications()
    missing = [each for each in mutants if scores.key(each) not in justified and not results[each]]
    if missing:
        missing.sort(key=lambda mutant: mutant.rank)  # an interrupted run is a sample
        runner = Runner(missing, OUT / "executions.json", results.add)
        code = pytest.main([*OPTIONS, *TESTS], plugins=[runner])
        if runner.error:
            sys.exit(f"error: {runner.error}")
        if not all(results[each] for each in missing):
            sys.exit(f"Incomplete (pytest's exit code: {code}). Run the command again to continue.")


def _conclude(mutants: Sequence[Mutant], results: Results, sample: int) -> int:
    """Print survivors and scores; return the exit code."""
    justified = scores.justifications()
    open_ = [each for each in mutants if scores.key(each) not in justified]
    survivors = [each for each in open_ if results[each] != KILLED]
    for survivor in survivors:
        print(f"survived  {survivor}")
    found = scores.Score.of(mutants, [each for each in open_ if results[each] == KILLED])
    for name, score in found.items():
        print(f"{name:<10} {score}")
    if not sample:
        return 1 if survivors else 0
    lower = scores.fallen(found, sample)
    print("\n".join(lower))
    if not lower:
        scores.record(found, sample)
    return 1 if lower else 0


if __name__ == "__main__":
    sys.exit(main())
