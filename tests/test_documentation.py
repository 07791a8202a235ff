"""The documentation matches the code: settings, commands, links and diagrams."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib import settings
from docs.site import diagrams, dialect, resources
from local import stack
from tests.lockfiles import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
SOURCES = [
    *(ROOT / "chalicelib").rglob("*.py"),
    *(ROOT / "local").rglob("*.py"),
    *(ROOT / "serve").rglob("*.py"),
    *(ROOT / "infrastructure").glob("*.py"),
    *(ROOT / "load/traffic").glob("*.py"),
    *(ROOT / "tests/e2e").glob("*.py"),
]
VARIABLE = re.compile(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
INTERNAL = {
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "PATH", "PYTHONUNBUFFERED"),
    *("LISTEN_PID", "PROMETHEUS_MULTIPROC_DIR"),
    *("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"),
}
"""Variables that do not belong to this project."""


def _read_variables(source: Path) -> Iterator[str]:
    """Yield the names of the environment variables that a module reads."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        for operand in _operands(node):
            value = constants.get(operand.id) if isinstance(operand, ast.Name) else None
            if isinstance(operand, ast.Constant):
                value = operand.value
            if isinstance(value, str) and VARIABLE.fullmatch(value):
                yield value


def _operands(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the names that a call, an index or `in` looks up in an environment."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[name, *_]) if _is_environ(
            value
        ):
            yield name
        case ast.Call(args=[value, name, *_]) if _is_environ(value):
            yield name
        case ast.Subscript(value=value, slice=name, ctx=ast.Load()) if _is_environ(value):
            yield name
        case ast.Compare(left=name, comparators=[value]) if _is_environ(value):
            yield name


def _is_environ(node: ast.expr) -> bool:
    return ast.unparse(node).endswith("environ")


def _documented_variables() -> set[str]:
    cells = re.findall(r"^\| (`[A-Z_`, 0-9]+`) \|", SETTINGS, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_settings_page_lists_every_variable_that_the_code_reads() -> None:
    read = {name for source in SOURCES for name in _read_variables(source)} - INTERNAL
    assert _documented_variables() == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL_RDS_DATA", settings.LOCAL_DATA_API),
        ("CONSOLE_PORT", stack.CONSOLE_PORT),
        ("CORS_ORIGINS", settings.LOCAL_ISSUER),
        ("CURSOR_KEY", settings.SHORTEST_KEY),
        ("DATABASE_NAME", settings.Settings().database_name),
        ("DATABASE_PORT", stack.DATABASE_PORT),
        ("DATA_API_PORT", stack.DATA_API_PORT),
        ("PORT", stack.PORT),
        ("RETENTION_DAYS", settings.ApiSettings.from_environ({}).retention_days),
        ("STAGE", settings.stage({})),
        ("TOKEN_AUDIENCE", settings.LOCAL_AUDIENCE),
        ("TOKEN_ISSUER", settings.LOCAL_ISSUER),
        ("XRAY_PORT", stack.XRAY_PORT),
    ],
)
def test_settings_page_has_the_value_of_the_code(name: str, value: object) -> None:
    (row,) = re.findall(rf"^\| `{name}`.*", SETTINGS, re.MULTILINE)
    assert re.search(rf"(?<![\w.]){re.escape(str(value))}(?!\w)", row)


def test_variables_are_found_for_every_way_of_reading_them(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        'NAMED = "A_CONSTANT"\n'
        'os.environ.get("A_CALL"); os.environ["AN_INDEX"]; "A_TEST" in environ\n'
        'required(environ, "AN_ARGUMENT"); environ.get(NAMED); other.get("OTHER")\n'
    )
    assert set(_read_variables(module)) == {
        *("A_CALL", "A_CONSTANT", "A_TEST", "AN_ARGUMENT", "AN_INDEX"),
    }


def _targets() -> set[str]:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^  make (\S+)", listed.stdout, re.MULTILINE))


def test_commands_page_lists_every_target() -> None:
    assert set(re.findall(r"^\| `make ([a-z-]+)", COMMANDS, re.MULTILINE)) == _targets()


IGNORED = {".venv", "examples", "node_modules", "out"}


def _programs() -> set[str]:
    """Return the modules that have a command line, as `python -m` names them."""
    found = {
        path
        for path in ROOT.rglob("*.py")
        if not IGNORED.intersection(path.relative_to(ROOT).parts)
        and (path.name == "__main__.py" or "parse_args(" in path.read_text(encoding="utf-8"))
    }
    paths = {str(path.relative_to(ROOT)).removeprefix("clients/python/") for path in found}
    names = {path.removesuffix(".py").replace("/", ".") for path in paths}
    return {name.removesuffix(".__main__") for name in names if not name.startswith("tests.")}


def test_commands_page_lists_every_program() -> None:
    documented = set(re.findall(r"^\| `python3? (?:-m )?([\w./]+)", COMMANDS, re.MULTILINE))
    assert {name.removesuffix(".py").replace("/", ".") for name in documented} == _programs()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/reference/commands.md"])
def test_commands_that_a_page_mentions_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    mentioned = set(re.findall(r"\bmake (?:-s )?(?:\w+=\S+ )*([a-z][a-z-]+)\b", text))
    assert {name for name in mentioned if f"`make {name}" in text} <= _targets()


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".github/SECURITY.md"]
)
def test_links_point_to_existing_files(page: str) -> None:
    """The build of the site checks the links between the pages of docs/."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r'(?:\]\(|src(?:set)?=")(?![a-z]+:|#)([^)#"\s]+)', text)
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_readme_names_files_that_exist() -> None:
    names = re.findall(r"`([\w.]+(?:/[\w.-]+)+/?)`", README)
    assert names
    missing = [name for name in names if not (ROOT / name).exists()]
    assert [name for name in missing if not name.startswith("out/")] == []  # `make` creates out/


@pytest.mark.parametrize(
    "source", sorted(diagrams.FOLDER.glob("*.dot")), ids=lambda path: path.stem
)
def test_diagram_is_up_to_date(source: Path) -> None:
    svg = source.with_suffix(".svg").read_text(encoding="utf-8")
    assert svg.startswith(f"<!-- {diagrams.digest(source)} -->"), "run `make diagrams`"


def test_resources_of_other_hosts_are_detected() -> None:
    html = """
    <link rel="stylesheet" href="https://fonts.example.com/css"><link href="assets/site.css">
    <script src="//cdn.example.com/mermaid.js"></script><img src="images/console-light.png">
    <a href="https://example.com">a link is not loaded</a>
    <link rel="canonical" href="https://docs.example.com/">
    """
    assert resources.external(html) == [
        "https://fonts.example.com/css",
        "//cdn.example.com/mermaid.js",
    ]


def test_list_item_after_several_paragraphs_is_separated() -> None:
    markdown = "1. One\n\n    more\n2. Two\n\n```yaml\na:\n    b\n- c\n```\n"
    assert dialect.separate_items(markdown) == markdown.replace("2.", "\n2.")
