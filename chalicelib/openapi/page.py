"""docs/problems.md as HTML: what the `type` of a problem leads a person to.

It knows the Markdown that the file has, which a test holds: headings, paragraphs, tables, fenced
code, links, and emphasis and code in the line.
"""

import re
from html import escape

TITLE = "Problems of the customers API"


def html(markdown: str) -> str:
    """Return the page; each heading of the second level can be linked to by its text."""
    blocks = re.split(r"\n\n(?!\s)", markdown.strip())
    head = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{TITLE}</title>\n'
    return head + "\n".join(map(_block, _whole(blocks))) + "\n</html>\n"


def _whole(blocks: list[str]) -> list[str]:
    """Return the blocks with the empty lines inside fenced code put back."""
    whole: list[str] = []
    for block in blocks:
        if whole and whole[-1].startswith("```") and not whole[-1].endswith("```"):
            whole[-1] += f"\n\n{block}"
        else:
            whole.append(block)
    return whole


def _block(block: str) -> str:
    if match := re.fullmatch(r"(#+) (.+)", block):
        level = len(match[1])
        return f'<h{level} id="{escape(match[2])}">{_line(match[2])}</h{level}>'
    if block.startswith("```"):
        return f"<pre>{escape(block.split(chr(10), 1)[1].removesuffix('```'))}</pre>"
    if block.startswith("|"):
        return f"<table>{''.join(map(_row, block.splitlines()))}</table>"
    return f"<p>{_line(block)}</p>"


def _row(row: str) -> str:
    if set(row) <= set("|- "):
        return ""
    cells = row.strip("|").split("|")
    return f"<tr>{''.join(f'<td>{_line(cell.strip())}</td>' for cell in cells)}</tr>"


def _line(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    text = re.sub(r"(?<!\w)\*([^*]+)\*", r"<em>\1</em>", text)
    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r'<a href="\2">\1</a>', text)
