"""MkDocs hooks: adapt the pages, which are written for GitHub, and reject external resources.

On GitHub, pages link to each other by their paths in the repository, and some are outside docs/.
https://www.mkdocs.org/dev-guide/plugins/#events
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site import dialect, resources

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs/"
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    ".github/SECURITY.md": "reporting.md",
    "load/README.md": "load.md",
}
"""The pages outside docs/, by their path in the repository, with their path in the site."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<path>[^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/."""
    for source, path in OUTSIDE.items():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Make the relative links of a page relative to its place in the site."""
    if page.file.src_uri == "problems.md":
        markdown = _with_problems_of_resources(markdown)
    sources = {path: source for source, path in OUTSIDE.items()}
    source = sources.get(page.file.src_uri, DOCS + page.file.src_uri)

    def adapt(link: re.Match[str]) -> str:
        path = f"{link['path']}README.md" if link["path"].endswith("/") else link["path"]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        target = OUTSIDE.get(target, target.removeprefix(DOCS))
        return posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(adapt, dialect.separate_items(markdown))


def _with_problems_of_resources(markdown: str) -> str:
    """Add docs/problems-<resource>.md, as the page that the API serves has it."""
    pages = sorted((ROOT / DOCS).glob("problems-*.md"))
    return "\n".join((markdown, *(page.read_text(encoding="utf-8") for page in pages)))


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Return the page. Raises PluginError if it loads anything from another host."""
    if urls := resources.external(output):
        raise PluginError(f"{page.file.src_uri} loads from other hosts: {', '.join(urls)}")
    return output
