"""The resources that a page loads. Links that a reader can follow are not resources."""

from html.parser import HTMLParser

LOADED = {"audio": "src", "embed": "src", "iframe": "src", "img": "src", "link": "href"}
LOADED |= {"object": "data", "script": "src", "source": "srcset", "use": "href", "video": "src"}

NOT_LOADED = {"alternate", "canonical", "next", "prev"}
"""What `rel` says of a link that a browser does not follow by itself."""


def external(html: str) -> list[str]:
    """Return the addresses on other hosts from which a page loads anything."""
    parser = _Parser()
    parser.feed(html)
    return [url for url in parser.urls if url.strip().lower().startswith(("http:", "https:", "//"))]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if dict(attrs).get("rel") not in NOT_LOADED:
            self.urls += [value or "" for name, value in attrs if name == LOADED.get(tag)]
