"""The console's pages: the templates in `pages`, completed with the addresses of this stack."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

from app import SCOPES
from local.stack import Settings

FOLDER = Path(__file__).with_name("pages")
KEYS_PATH = "/.well-known/jwks.json"
CONFIGURATION_PATH = "/.well-known/openid-configuration"
PARTS = '<link rel="stylesheet" href="/pages/parts.css">'
SWAGGER_UI = (
    '<link rel="stylesheet" href="/swagger-ui/swagger-ui.css">\n'
    '  <script src="/swagger-ui/swagger-ui-bundle.js" defer></script>'
)
TOKENS = {
    "all scopes": " ".join(SCOPES),
    "read and write": "customers:read customers:write",
    "read only": "customers:read",
    "none": "",
}


OWN = (
    '<link rel="stylesheet" href="/pages/{file}.css">\n'
    '  <script src="/pages/{file}.js" type="module"></script>'
)


class Page(NamedTuple):
    """A page. Its content is in a file with its name in lower case, and so is what `own` names."""

    name: str
    description: str
    calls_api: bool = False  # and so has a choice of tokens
    resources: str = PARTS
    own: str = OWN

    @property
    def file(self) -> str:
        return self.name.lower()


PAGES = {
    "/": Page("Overview", "The rate, latency and errors of the customers API on this machine."),
    "/customers": Page(
        "Customers", "Find, create, change, delete, restore and erase customers.", calls_api=True
    ),
    "/requests": Page(
        "Requests", "The last requests, with their statements, plans, bodies and log lines."
    ),
    "/events": Page("Events", "The last events, as consumers receive them."),
    "/documentation": Page(
        "Documentation", "Every operation, to try out.", calls_api=True, resources=SWAGGER_UI
    ),
}
MISSING = Page("Missing", "The console has no page with this address.", own="")


def render(path: str, settings: Settings) -> str:
    """Return the page at a path: its content in the frame that all pages share."""
    page, words = PAGES.get(path, MISSING), _words(settings)
    frame = {
        "name": page.name,
        "description": page.description,
        "resources": page.resources,
        "own": page.own.format(file=page.file),
        "navigation": _navigation(path),
        "tokens": _tokens() if page.calls_api else "",
        "content": _filled(page.file, words),
    }
    return _filled("frame", {**words, **frame})


def _filled(file: str, words: Mapping[str, str]) -> str:
    return Template((FOLDER / f"{file}.html").read_text()).substitute(words)


def _words(settings: Settings) -> Mapping[str, str]:
    words = {
        "api": settings.url,
        "data_api": settings.data_api_url,
        "console": settings.console_url,
        "xray": f"127.0.0.1:{settings.xray_port} (UDP)",
        "token_command": settings.token_command,
        "consumer": settings.events_url or "none (set EVENTS_URL)",
        "state": str(settings.state.absolute()),
        "logs": str(settings.state.absolute() / "logs"),
        "keys_path": KEYS_PATH,
        "configuration_path": CONFIGURATION_PATH,
    }
    escaped = {name: escape(word) for name, word in words.items()}
    return {**escaped, "database": _database(settings)}


def _navigation(current: str) -> str:
    links = (_link(path, page.name, is_current=path == current) for path, page in PAGES.items())
    return f'<nav aria-label="Pages">{"".join(links)}</nav>'


def _link(path: str, name: str, *, is_current: bool) -> str:
    mark = ' aria-current="page"' if is_current else ""
    return f'<a href="{path}"{mark}>{name}</a>'


def _tokens() -> str:
    options = (f'<option value="{scopes}">{name}</option>' for name, scopes in TOKENS.items())
    return f'<label>Token <select id="scope" autocomplete="off">{"".join(options)}</select></label>'


def _database(settings: Settings) -> str:
    """Return where the database is; of a private one also its version and its password's place."""
    address = f"<code>{escape(settings.database_address)}</code>"
    if settings.database_url:
        return address
    password = escape(str(settings.database_directory.absolute() / "password"))
    return f"{address}<small>{_engine(settings)}; its password is in {password}</small>"


def _engine(settings: Settings) -> str:
    file = settings.database_directory / "version"
    return escape(file.read_text()) if file.exists() else settings.engine.title
