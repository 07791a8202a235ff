"""Where GitHub's Markdown and MkDocs's differ, the pages are written for GitHub."""

import re

FENCE = "```"
ITEM = re.compile(r"(\d+\.|[-*]) ")
CONTINUATION = "    "


def separate_items(markdown: str) -> str:
    """Return Markdown with a blank line between an item of several paragraphs and the next item.

    Without a blank line, Python-Markdown adds the next item to the last paragraph.
    """
    lines: list[str] = []
    is_code = False
    for line in markdown.split("\n"):
        is_code ^= line.startswith(FENCE)
        if not is_code and ITEM.match(line) and lines and lines[-1].startswith(CONTINUATION):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)
