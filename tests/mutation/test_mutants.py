"""Mutants of small modules, and the effect of a mutant on functions that are already imported."""

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
    before = {"http": scores.Score(mutants=100, killed=90)}
    monkeypatch.setattr(scores, "recorded", lambda: (10, before))

    assert scores.fallen({"http": scores.Score(mutants=200, killed=180)}, 10) == []
    assert scores.fallen({"http": scores.Score(mutants=100, killed=80)}, 100) == []
    assert scores.fallen({"http": scores.Score(mutants=100, killed=89)}, 10) == [
        "http: 89.0% of the mutants are killed, before: 90.0%"
    ]


def test_justified_mutants_do_not_count() -> None:
    assert scores.Score(mutants=100, killed=90, justified=10).percent == 100.0
