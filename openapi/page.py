"""docs/problems.md as HTML: what the `type` of a problem leads a person to."""

import itertools

from markdown_it import MarkdownIt

HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Problems of the customers API</title>
"""


def html(markdown: str) -> str:
    """Return the page; each heading can be linked to by its text."""
    renderer = MarkdownIt("commonmark").enable("table")
    tokens = renderer.parse(markdown)
    for heading, text in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", text.content)
    body: str = renderer.renderer.render(tokens, renderer.options, {})
    return f"{HEAD}{body}</html>\n"
