"""No regular expression of the runtime code takes long for any input (CWE-1333).

recheck analyzes each expression by its automaton, or else by attack strings that it evolves.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.contract.regexes import FUNCTIONS, READ, RUNTIME, Regex, Translation, regexes, sources

# Expressions that take quadratic time or more, but never read a client's input
OUR_OWN = {
    "chalicelib/database/parameters.py": "reads our own SQL, which has parameters for all values",
    "infrastructure/costs.py": "reads a page of our own documentation",
}


def verdicts(found: list[Regex], node_modules: Path) -> list[str]:
    done = subprocess.run(
        ["node", node_modules.parent / "recheck.js"],
        input=json.dumps([regex.javascript for regex in found]),
        env={**os.environ, "RECHECK_BACKEND": "pure"},
        capture_output=True,
        text=True,
        check=True,
    )
    judged: list[str] = json.loads(done.stdout)
    return judged


@pytest.mark.exhaustive
def test_every_expression_on_client_input_is_linear(node_modules: Path) -> None:
    found = list({regex.javascript: regex for regex in regexes()}.values())
    judged = verdicts(found, node_modules)

    slow = {
        regex.place: verdict
        for regex, verdict in zip(found, judged, strict=True)
        if verdict != "safe"
    }
    assert {place.partition(":")[0] for place in slow} == OUR_OWN.keys(), slow
    assert not [verdict for verdict in slow.values() if "exponential" in verdict]


@pytest.mark.parametrize(
    ("call", "verdict"),
    [
        ("X = re.compile(r'(\\w+\\s?)*')\nX.fullmatch('')", "exponential"),
        ("re.fullmatch(r'(a|aa)+b?', '')", "exponential"),
        ("re.search(r'\\s+$', '')", "2nd degree polynomial"),
        ("import marshmallow\nfrom marshmallow import validate\nvalidate.Regexp('(a*)*b')", "exp"),
    ],
)
def test_planted_expression_is_detected(
    node_modules: Path, tmp_path: Path, call: str, verdict: str
) -> None:
    for name in RUNTIME:
        (tmp_path / name).mkdir() if not name.endswith(".py") else (tmp_path / name).touch()
    (tmp_path / "chalicelib" / "planted.py").write_text(f"import re\n{call}\n")

    (found,) = regexes(tmp_path)

    assert found.place.startswith("chalicelib/planted.py:")
    assert verdicts([found], node_modules)[0].startswith(verdict)


@pytest.mark.parametrize("call", ["re.compile(input())", "re.search(pattern, '')"])
def test_expression_that_is_not_constant_is_an_error(tmp_path: Path, call: str) -> None:
    for name in RUNTIME:
        (tmp_path / name).mkdir() if not name.endswith(".py") else (tmp_path / name).touch()
    (tmp_path / "app.py").write_text(f"import re\n{call}\n")

    with pytest.raises(LookupError, match=r"app\.py:2"):
        list(regexes(tmp_path))


def test_every_expression_is_found() -> None:
    """Compares the number of found expressions with a text search."""
    calls = re.compile(rf"\b(?:re\.(?:{'|'.join(FUNCTIONS)})|validate\.Regexp|\b_temporal)\(")
    written = sum(len(calls.findall(path.read_text())) for path in sources())

    found = [regexe for regexe in regexes() if regexe.place not in READ.values()]
    # except _temporal's definition, its own call, and the call that compiles the JSON's patterns
    assert len(found) == written - 3


@pytest.mark.usefixtures("node_modules")
def test_translation_matches_the_same_texts() -> None:
    """Python and Node find the same matches in sample texts."""
    texts = ["", 'W/"v1"', "v1", "/* x */ SELECT", "1-2", "bearer a.b.c", "127.0.0.1", "Root=1;"]
    found = list(regexes())
    program = (
        "const [p, t] = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(p.map(([s, f]) => t.map((x) => new RegExp(s, f).test(x)))))"
    )
    translated = [(Translation(r.pattern, r.flags).text, r.javascript[1]) for r in found]
    done = subprocess.run(
        ["node", "-e", program],
        input=json.dumps([translated, texts]),
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [[bool(re.search(item.pattern, x, item.flags)) for x in texts] for item in found]
    assert json.loads(done.stdout) == ours
