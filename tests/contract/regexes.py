"""Every regular expression of the running code, found in its syntax trees, as JavaScript has it.

recheck, which tells what an expression may cost, reads JavaScript's. Python's own parser reads
ours, so that flags, comments and possessive repetitions mean what they mean here.
"""

import ast
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from local.processes import PROJECT

RUNTIME = ("app.py", "chalicelib", "infrastructure", "local", "migrations")
FUNCTIONS = {
    *("compile", "match", "fullmatch", "search", "sub", "subn", "findall", "finditer", "split"),
    "Regexp",  # marshmallow's
}
# functions that get a pattern as an argument: which one
HANDED_OVER = {"local/data_api/parameters.py": {"_temporal": 1}}
# what a file has of JSON, and the module that compiles it
READ = {"chalicelib/http/rules.py": "chalicelib/customers/accepted.json"}
parser: Any = re._parser  # type: ignore[attr-defined]


class Regex(NamedTuple):
    """An expression, where it stands, its flags, and the methods by which it is used."""

    place: str
    pattern: str
    flags: int
    methods: frozenset[str]

    @property
    def javascript(self) -> tuple[str, str]:
        """Pattern and flags as JavaScript has them, with the anchors that its use implies."""
        source = Translation(self.pattern, self.flags).text
        if self.methods <= {"match", "fullmatch", "Regexp"}:
            source = f"^(?:{source})" + "$" * (self.methods == {"fullmatch"})
        return source, "i" if self.flags & re.IGNORECASE else ""


def sources(root: Path = PROJECT) -> Iterator[Path]:
    for name in RUNTIME:
        path = root / name
        yield from [path] if path.suffix else sorted(path.rglob("*.py"))


def regexes(root: Path = PROJECT) -> Iterator[Regex]:
    """Yield all of them. Raises LookupError for one that can't be read where it stands."""
    for path in sources(root):
        yield from File(root, path).regexes()
    for name in READ.values():
        if (root / name).exists():
            yield from _read(root, name)


def _read(root: Path, name: str) -> Iterator[Regex]:
    """Yield the patterns of a JSON document, wherever they are in it."""
    found: list[str] = []

    def collect(members: dict[str, Any]) -> None:
        if isinstance(pattern := members.get("pattern"), str):
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
                    f"{self._name}:{node.lineno}: write `import re`: it is looked for"
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
        """Return by what the call uses its pattern; None if it has none, or one of its caller's."""
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
            raise LookupError(f"{place}: the pattern can't be read here: HANDED_OVER?") from None
        text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
        return Regex(place, text, self._flags(call.args[-1]), frozenset(methods))

    def _flags(self, last: ast.expr) -> int:
        names = {node.id for node in ast.walk(last) if isinstance(node, ast.Name)}
        return int(self._value(last)) if "re" in names else 0

    def _value(self, expression: ast.expr) -> Any:
        """Return the value of what consists of constants, the module's own among them."""
        try:
            return ast.literal_eval(expression)
        except ValueError:
            module = importlib.import_module(self._name.removesuffix(".py").replace("/", "."))
            code = compile(ast.Expression(expression), self._name, "eval")
            return eval(code, {**vars(module), "__builtins__": {}})  # noqa: S307 (our own source)

    def _uses(self, name: str) -> list[str]:
        """Return the methods that are called of what the name stands for."""
        places = [self._path] if name.startswith("_") else sources(self._root)
        calls = re.compile(rf"\b{name}\.([a-z]+)\(")
        return [use for place in places for use in calls.findall(place.read_text())] or ["search"]


class Translation:
    """One expression, from Python's parse tree to JavaScript's text.

    Each kind of node has the method of its name; one that has none is an AttributeError.
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
        return character if character.isascii() and character.isalnum() else f"\\u{code:04x}"

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
        least, most, repeated = value
        end = "" if most == parser.MAXREPEAT else most
        return f"(?:{self._sequence(repeated)}){{{least},{end}}}"

    def _min_repeat(self, value: tuple[int, Any, Any]) -> str:
        return f"{self._max_repeat(value)}?"

    def _possessive_repeat(self, value: tuple[int, Any, Any]) -> str:
        """JavaScript has no such thing, but what a lookahead has found stays."""
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
