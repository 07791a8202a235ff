"""The page that the `type` of a problem refers to: docs/problems.md as HTML."""

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
    """Return the page; the id of each heading is its text."""
    renderer = MarkdownIt("commonmark").enable("table")
    tokens = renderer.parse(markdown)
    for heading, text in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", text.content)
    body: str = renderer.renderer.render(tokens, renderer.options, {})
    return f"{HEAD}{body}</html>\n"
