"""Mutants of small modules, and the effect of a mutant on functions that are already imported."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.mutation import mutants, scores
from tests.mutation.mutants import ROOT
from tests.mutation.running import install


def _names(*body: str) -> set[str]:
    """Return the names of the mutants of a function with this body, without the function's."""
    text = "def f(a, b):\n" + "".join(f"    {line}\n" for line in body)
    return {mutant.name.removeprefix("f: ") for mutant in mutants.parse(text, "module.py")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a < b", {"a < b -> a <= b"}),
        ("a == b != 0", {"a == b != 0 -> a != b != 0", "a == b != 0 -> a == b == 0", "0 -> 1"}),
        ("a is b", {"a is b -> a is not b"}),
        ("a in b", {"a in b -> a not in b"}),
        ("a and b", {"a and b -> a or b"}),
        ("not a", {"not a -> a"}),
        ("-a", {"-a -> +a"}),
        ("a + b", {"a + b -> a - b"}),
        ("a % 2", {"a % 2 -> a * 2", "2 -> 3"}),
        ("a += b", {"a += b -> a -= b"}),
        ("a = True", {"True -> False"}),
        ("a = ''", {"'' -> 'XX'"}),
        ("a = 'SELECT a'", set()),
        ("a = b'x'", {"b'x' -> b'XXx'"}),
        ("a = f'x{b}'", {"a = f'x{b}' -> a = None", "'x' -> 'XXx'"}),
        ("a = b", {"a = b -> a = None"}),
        ("a: int = b", {"a: int = b -> a: int = None"}),
        ("return b", {"return b -> return None"}),
        ("return cast('int', b)", {"return cast('int', b) -> return None"}),
        ("return", set()),
        ("raise a", {"raise a -> pass"}),
        ("a(b)", {"a(b) -> pass"}),
        ("a if b else a", {"b -> not b"}),
        ("[a for a in b if a]", {"a -> not a"}),
        ("'documentation'", set()),
    ],
)
def test_line_has_its_mutants(line: str, expected: set[str]) -> None:
    assert _names(line) == expected


def test_statements_in_blocks_are_mutated() -> None:
    assert _names("while a:", "    if b:", "        break", "    continue") == {
        *("a -> not a", "b -> not b", "break -> continue", "continue -> break"),
    }


def test_code_that_runs_at_the_import_is_not_mutated() -> None:
    text = "A = 1\n@a(1)\ndef f(a: int = 1) -> b(1):\n    pass\nclass C:\n    a = 1\n"
    assert mutants.parse(text, "module.py") == []


def test_equal_mutants_of_a_function_have_different_names() -> None:
    assert _names("a(1, 1)") == {"a(1, 1) -> pass", "1 -> 2", "1 -> 2 #2"}


def test_mutants_keep_their_names_when_other_lines_move() -> None:
    text = "class C:\n    def f(self):\n        a(self)\n"
    [moved] = mutants.parse(f"import os\n\n{text}", "module.py")

    assert [moved.name] == [mutant.name for mutant in mutants.parse(text, "module.py")]
    assert moved.lines == range(5, 6)


def test_lines_of_a_block_are_those_of_its_head() -> None:
    [mutant] = mutants.parse("def f(a):\n    if (\n        a\n    ):\n        pass\n", "module.py")
    assert mutant.lines == range(2, 5)


TEXT = """
import functools

def decorated(function):
    @functools.wraps(function)
    def inner(value):
        return function(value)
    return inner

@decorated
def double(value):
    return value * 2
"""


def test_decorated_function_is_exchanged() -> None:
    path = ROOT / "module.py"
    module = SimpleNamespace()
    exec(compile(TEXT, str(path), "exec"), vars(module))  # noqa: S102 (a constant)
    functions = [module.double, module.double.__wrapped__]
    [mutant] = [each for each in mutants.parse(TEXT, "module.py") if each.name.endswith("2 -> 3")]
    assert module.double(5) == 10

    install(mutant, functions)

    assert module.double(5) == 15


def test_justified_mutants_exist() -> None:
    files = {path for path, _ in scores.justifications()}
    existing = {scores.key(each) for file in files for each in mutants.read(ROOT / file)}

    assert scores.justifications().keys() <= existing
    assert all(scores.justifications().values())


def test_fallen_score_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"http": scores.Score(mutants=100, tried=100, killed=90)}
    monkeypatch.setattr(scores, "recorded", lambda: before)

    assert scores.fallen({"http": scores.Score(mutants=200, tried=200, killed=180)}) == []
    assert scores.fallen({"http": scores.Score(mutants=100, tried=100, killed=89)}) == [
        "http: 89.0% of the mutants are killed, recorded: 90.0%, 90 of 100 (all); 0 justified"
    ]


def test_score_of_a_sample_has_a_lower_limit() -> None:
    assert scores.Score(mutants=2000, tried=100, killed=90).at_least == pytest.approx(
        82.6, abs=0.05
    )
    assert scores.Score(mutants=100, tried=90, killed=45, justified=10).at_least == 50.0


def test_only_complete_scores_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = scores.Score(mutants=100, tried=50, killed=50)
    complete = scores.Score(mutants=100, tried=90, killed=90, justified=10)
    monkeypatch.setattr(scores, "SCORES", tmp_path / "scores.json")
    scores.SCORES.write_text("{}")

    scores.record({"http": sample, "tokens": complete})

    assert scores.recorded() == {"tokens": complete}


def test_sample_has_mutants_of_each_package_always_the_same() -> None:
    text = "def f():\n    return a + b - c * d\n"
    paths = [f"chalicelib/{name}/module.py" for name in scores.PACKAGES]
    everything = [each for path in paths for each in mutants.parse(text, path)]
    names = [scores.key(each) for each in scores.sample(everything, 3)]

    assert len(everything) > len(names)
    assert set(names) == {scores.key(each) for each in scores.sample(everything[::-1], 3)}
    assert Counter(path.split("/")[1] for path, _ in names) == dict.fromkeys(scores.PACKAGES, 3)


def test_justified_mutants_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = mutants.parse("def f():\n    return a + b\n", "chalicelib/http/module.py")
    first, second = everything
    monkeypatch.setattr(scores, "justifications", lambda: {scores.key(first): "reason"})

    found = scores.count(everything, everything, [])

    assert found == {"http": scores.Score(mutants=2, tried=1, killed=1, justified=1)}
    assert scores.count(everything, everything, [second])["http"].percent == 0
