"""The console's pages: the templates in `pages`, completed with the addresses of this stack."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from app import SCOPES
from local.stack import Settings

PAGES = Path(__file__).with_name("pages")
KEYS_PATH = "/.well-known/jwks.json"
CONFIGURATION_PATH = "/.well-known/openid-configuration"
NAMES = {
    "/": "Overview",
    "/customers": "Customers",
    "/requests": "Requests",
    "/events": "Events",
    "/documentation": "Documentation",
}
TOKENS = {
    "all scopes": " ".join(SCOPES),
    "read and write": "customers:read customers:write",
    "read only": "customers:read",
    "none": "",
}


def render(path: str, settings: Settings) -> str:
    """Return the page at a path."""
    name = NAMES[path].lower()
    template = Template((PAGES / f"{name}.html").read_text())
    own = {"navigation": _navigation(path), "tokens": _tokens(), "database": _database(settings)}
    return template.substitute(_words(settings), **own)


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
    return {name: escape(word) for name, word in words.items()}


def _navigation(current: str) -> str:
    links = (_link(path, name, is_current=path == current) for path, name in NAMES.items())
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
