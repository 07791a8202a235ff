"""Find every regular expression in the runtime code, and translate it to JavaScript.

recheck, which computes the worst-case cost of an expression, reads JavaScript. Python's own parser
reads ours, so that flags, comments and possessive repetitions keep their meaning.
"""

import ast
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from local.processes import PROJECT

RUNTIME = ("app.py", "chalicelib", "infrastructure", "local", "migrations", "serve")
FUNCTIONS = {
    *("compile", "match", "fullmatch", "search", "sub", "subn", "findall", "finditer", "split"),
    "Regexp",  # marshmallow's
}
# functions that take a pattern as an argument, and the argument's index
HANDED_OVER = {"local/data_api/parameters.py": {"_temporal": 1}}
# modules that compile patterns of a JSON file
READ = {"chalicelib/http/rules.py": "chalicelib/accepted.json"}
MAX_UNIT = 0xFFFF  # of UTF-16; JavaScript needs the flag u for characters beyond
parser: Any = re._parser  # type: ignore[attr-defined]


class Regex(NamedTuple):
    """An expression with its place, flags and the methods that use it."""

    place: str
    pattern: str
    flags: int
    methods: frozenset[str]

    @property
    def javascript(self) -> tuple[str, str]:
        """Pattern and flags in JavaScript's syntax, with the anchors that its methods imply."""
        source = Translation(self.pattern, self.flags).text
        if self.methods <= {"match", "fullmatch", "Regexp"}:
            source = f"^(?:{source})" + "$" * (self.methods == {"fullmatch"})
        has_wide_characters = "\\u{" in source
        return source, "i" * bool(self.flags & re.IGNORECASE) + "u" * has_wide_characters


def sources(root: Path = PROJECT) -> Iterator[Path]:
    for name in RUNTIME:
        path = root / name
        found = [path] if path.suffix else sorted(path.rglob("*.py"))
        yield from (file for file in found if not file.is_symlink())


def regexes(root: Path = PROJECT) -> Iterator[Regex]:
    """Yield all expressions. Raises LookupError for a pattern that isn't a constant."""
    for path in sources(root):
        yield from File(root, path).regexes()
    for name in READ.values():
        if (root / name).exists():
            yield from _read(root, name)


def _read(root: Path, name: str) -> Iterator[Regex]:
    """Yield all patterns of a JSON document, at any depth."""
    found: list[str] = []

    def collect(schema: dict[str, Any]) -> None:
        if isinstance(pattern := schema.get("pattern"), str):
            found.append(pattern)

    json.loads((root / name).read_text(), object_hook=collect)
    for pattern in found:
        yield Regex(name, pattern, 0, frozenset({"fullmatch"}))


class File:
    """The expressions of one file."""

    def __init__(self, root: Path, path: Path) -> None:
        self._root, self._path = root, path
        self._name = path.relative_to(root).as_posix()
        self._tree = ast.parse(path.read_text())
        self._handed_over: Mapping[str, int] = HANDED_OVER.get(self._name, {})

    def regexes(self) -> Iterator[Regex]:
        names = dict(self._assigned())
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ImportFrom) and node.module == "re":
                raise LookupError(
                    f"{self._name}:{node.lineno}: write `import re`, so that calls are found"
                )
            if isinstance(node, ast.Call) and (function := self._function(node)):
                uses = self._uses(names[node]) if node in names else ["search"]
                methods = uses if function == "compile" else [function]
                yield self._regex(node, methods)

    def _assigned(self) -> Iterator[tuple[ast.expr, str]]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                yield node.value, node.targets[0].id

    def _function(self, call: ast.Call) -> str | None:
        """Return the function that uses the call's pattern; None without a pattern of this call."""
        match call.func:
            case ast.Attribute(value=ast.Name(id="re" | "validate"), attr=name) if (
                name in FUNCTIONS
            ):
                is_elsewhere = self._handed_over or self._name in READ
                return None if is_elsewhere and isinstance(call.args[0], ast.Name) else name
            case ast.Name(id=name) if name in {"Regexp", *self._handed_over}:
                return "Regexp" if name == "Regexp" else "fullmatch"
        return None

    def _regex(self, call: ast.Call, methods: list[str]) -> Regex:
        place = f"{self._name}:{call.lineno}"
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        try:
            pattern = self._value(call.args[self._handed_over.get(name, 0)])
        except NameError:
            raise LookupError(f"{place}: not a constant: add it to HANDED_OVER?") from None
        text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
        return Regex(place, text, self._flags(call.args[-1]), frozenset(methods))

    def _flags(self, last: ast.expr) -> int:
        names = {node.id for node in ast.walk(last) if isinstance(node, ast.Name)}
        return int(self._value(last)) if "re" in names else 0

    def _value(self, expression: ast.expr) -> Any:
        """Return the value of an expression of literals and of the module's constants."""
        try:
            return ast.literal_eval(expression)
        except ValueError:
            module = importlib.import_module(self._name.removesuffix(".py").replace("/", "."))
            code = compile(ast.Expression(expression), self._name, "eval")
            return eval(code, {**vars(module), "__builtins__": {}})  # noqa: S307 (our own source)

    def _uses(self, name: str) -> list[str]:
        """Return the methods that are called on the named expression."""
        places = [self._path] if name.startswith("_") else sources(self._root)
        calls = re.compile(rf"\b{name}\.([a-z]+)\(")
        return [use for place in places for use in calls.findall(place.read_text())] or ["search"]


class Translation:
    """Translates one expression from Python's parse tree to JavaScript's syntax.

    Each kind of node has a method with its name. Raises AttributeError for other nodes.
    """

    def __init__(self, pattern: str, flags: int) -> None:
        self._groups = 0
        parsed = parser.parse(pattern, flags)
        self._is_dotall = bool(parsed.state.flags & re.DOTALL)
        self.text = self._sequence(parsed)

    def _sequence(self, nodes: Any) -> str:
        return "".join(getattr(self, f"_{str(kind).lower()}")(value) for kind, value in nodes)

    def _literal(self, code: int) -> str:
        character = chr(code)
        if character.isascii() and character.isalnum():
            return character
        return f"\\u{code:04x}" if code <= MAX_UNIT else f"\\u{{{code:x}}}"

    def _not_literal(self, code: int) -> str:
        return f"[^{self._literal(code)}]"

    def _any(self, _: None) -> str:
        return r"[\s\S]" if self._is_dotall else "."

    def _in(self, nodes: Any) -> str:
        return f"[{self._sequence(nodes)}]"

    def _negate(self, _: None) -> str:
        return "^"

    def _range(self, ends: tuple[int, int]) -> str:
        return f"{self._literal(ends[0])}-{self._literal(ends[1])}"

    def _category(self, kind: object) -> str:
        name = str(kind).removeprefix("CATEGORY_")
        letter = name.removeprefix("NOT_")[0]
        return "\\" + (letter if name.startswith("NOT_") else letter.lower())

    def _branch(self, value: tuple[None, list[Any]]) -> str:
        return f"(?:{'|'.join(self._sequence(item) for item in value[1])})"

    def _subpattern(self, value: tuple[Any, ...]) -> str:
        self._groups += 1
        return f"({self._sequence(value[-1])})"

    def _max_repeat(self, value: tuple[int, Any, Any]) -> str:
        minimum, maximum, repeated = value
        end = "" if maximum == parser.MAXREPEAT else maximum
        return f"(?:{self._sequence(repeated)}){{{minimum},{end}}}"

    def _min_repeat(self, value: tuple[int, Any, Any]) -> str:
        return f"{self._max_repeat(value)}?"

    def _possessive_repeat(self, value: tuple[int, Any, Any]) -> str:
        """JavaScript lacks possessive repetition, but never backtracks into a lookahead."""
        self._groups += 1
        group = self._groups
        return rf"(?:(?=({self._max_repeat(value)}))\{group})"

    def _assert(self, value: tuple[int, Any], sign: str = "=") -> str:
        direction, condition = value
        return f"(?{'<' * (direction < 0)}{sign}{self._sequence(condition)})"

    def _assert_not(self, value: tuple[int, Any]) -> str:
        return self._assert(value, "!")

    def _at(self, kind: object) -> str:
        names = {"BEGINNING": "^", "END": "$", "END_STRING": "$", "BOUNDARY": r"\b"}
        return names[str(kind).removeprefix("AT_")]
