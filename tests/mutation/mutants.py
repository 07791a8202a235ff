"""Mutants of a module: copies with one small fault in the body of a function.

The operators are those of mutmut and cosmic-ray. Code outside functions is not mutated, because
it runs once, at the import, before a test could see the fault. Texts of several words are not
mutated, either: broken SQL always fails, and tests check a message's code, not its words.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import CodeType
from zlib import crc32

ROOT = Path(__file__).parents[2]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SKIPPED = {"decorator_list", "annotation", "returns", "args", "type_params", "type_comment"}
"""Fields of functions and assignments that don't run with the body. (A call's `args` does.)"""
MAX_TEXT = 80
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.USub: ast.UAdd,
    ast.Break: ast.Continue,
    ast.Continue: ast.Break,
}


@dataclass(frozen=True)
class Mutant:
    """A fault: the child at `place` of the parent node becomes `replacement`.

    `name` is unique, and stays the same when other lines move. `lines` are those of the statement.
    """

    path: str
    name: str
    lines: range
    module: ast.Module = field(repr=False, compare=False)
    parent: ast.AST = field(repr=False, compare=False)
    place: tuple[str, int | None] = field(repr=False, compare=False)
    replacement: ast.AST = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.path}:{self.lines.start} {self.name}"

    @property
    def rank(self) -> float:
        """A number from 0 to 1 that depends only on file and name: its place in random order."""
        return crc32(f"{self.path} {self.name}".encode()) / 2**32

    def compile(self) -> CodeType:
        """Compile the module with this fault."""
        name, index = self.place
        original = _exchange(self.parent, name, index, self.replacement)
        try:
            return compile(self.module, str(ROOT / self.path), "exec", dont_inherit=True)
        finally:
            _exchange(self.parent, name, index, original)


def read(file: Path) -> list[Mutant]:
    """Return the mutants of a file of the project."""
    return parse(file.read_text(), file.relative_to(ROOT).as_posix())


def parse(text: str, path: str) -> list[Mutant]:
    """Return the mutants of a module's text."""
    module = ast.parse(text)
    seen: Counter[str] = Counter()
    found = []
    for function, statement, parent, place, child in _nodes(module, "", None):
        for replacement in _replacements(child, parent):
            ast.fix_missing_locations(ast.copy_location(replacement, statement))
            name = f"{function}: {_describe(parent, place, child, replacement)}"
            seen[name] += 1
            unique = name if seen[name] == 1 else f"{name} #{seen[name]}"
            found.append(
                Mutant(path, unique, _lines(statement), module, parent, place, replacement)
            )
    return found


_Node = tuple[str, ast.stmt, ast.AST, tuple[str, int | None], ast.AST]


def _nodes(parent: ast.AST, function: str, statement: ast.stmt | None) -> Iterator[_Node]:
    """Yield the nodes in functions with function, innermost statement, parent and place."""
    for name, value in ast.iter_fields(parent):
        if name in SKIPPED and not isinstance(parent, ast.Call):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST):
                continue
            inner = child if isinstance(child, ast.stmt) else statement
            if function and inner:
                yield function, inner, parent, (name, index), child
            yield from _nodes(child, _function(child, function), inner)


def _function(node: ast.AST, outer: str) -> str:
    """Return the qualified name of the function whose body the node's children are."""
    if isinstance(node, FUNCTIONS) or (isinstance(node, ast.ClassDef) and outer):
        return f"{outer}.{node.name}".lstrip(".")
    return outer


def _lines(statement: ast.stmt) -> range:
    """Return the statement's lines, without those of the statements inside."""
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(statement.lineno, end) + 1)


def _replacements(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    if type(node) in SWAPS:
        yield SWAPS[type(node)]()
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value, parent)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.stmt):
        yield from _statements(node)
    if isinstance(node, ast.expr) and _is_condition(node, parent):
        yield ast.UnaryOp(ast.Not(), node)


def _constants(value: object, parent: ast.AST) -> Iterator[ast.AST]:
    if isinstance(parent, ast.Expr) or _is_cast(parent):  # a docstring, or a type
        return
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and " " not in value.strip():  # neither SQL nor a message
        yield ast.Constant(f"XX{value}")
    elif isinstance(value, bytes):
        yield ast.Constant(b"XX" + value)


def _is_cast(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast"


def _statements(node: ast.stmt) -> Iterator[ast.AST]:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(node, ast.Raise) or isinstance(value, ast.Call):
        yield ast.Pass()
    if (
        isinstance(node, ast.Return | ast.Assign | ast.AnnAssign)
        and node.value
        and not isinstance(node.value, ast.Constant)
    ):
        changed = copy(node)
        changed.value = ast.Constant(None)
        yield changed


def _is_condition(node: ast.expr, parent: ast.AST) -> bool:
    """Return whether no other operator would change this condition."""
    conditions = (
        [parent.test]
        if isinstance(parent, ast.If | ast.IfExp | ast.While)
        else parent.ifs
        if isinstance(parent, ast.comprehension)
        else []
    )
    return node in conditions and not isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp)


def _describe(
    parent: ast.AST, place: tuple[str, int | None], child: ast.AST, replacement: ast.AST
) -> str:
    """Return the texts before and after; those of the expression, if an operator changes."""
    is_operator = isinstance(child, ast.operator | ast.unaryop | ast.boolop | ast.cmpop)
    before = _text(parent if is_operator else child)
    _exchange(parent, *place, replacement)
    after = _text(parent if is_operator else replacement)
    _exchange(parent, *place, child)
    return f"{before} -> {after}"


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


def _exchange(parent: ast.AST, name: str, index: int | None, new: ast.AST) -> ast.AST:
    """Replace a child of a node; return the previous one."""
    if index is None:
        old: ast.AST = getattr(parent, name)
        setattr(parent, name, new)
        return old
    children: list[ast.AST] = getattr(parent, name)
    old, children[index] = children[index], new
    return old


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a module and of everything in it, in the order of the text."""
    yield code
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    yield from chain.from_iterable(map(codes, inner))
