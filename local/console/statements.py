"""Format SQL for reading: a line for each clause and each condition."""

import re

_CLAUSES = (
    "SELECT|DELETE FROM|FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|UNION ALL|UNION|VALUES|SET"
    "|RETURNING|LEFT JOIN|INNER JOIN|JOIN|ON DUPLICATE KEY UPDATE|FOR UPDATE|WITH"
).replace(" ", r"\s+")
_TOKEN = re.compile(
    rf"""'(?:[^'\\]|\\.|'')*'|`[^`]*`          # texts and names, whatever they contain
    |(?P<open>\()|(?P<close>\))
    |(?P<between>\bBETWEEN\b)|(?P<and>\b(?:AND|OR)\b)
    |(?P<clause>\b(?:{_CLAUSES})\b)
    |\s+|[\w:.]+|.""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SUBQUERY = re.compile(r"\s*\(*\s*(?:SELECT|WITH)\b", re.IGNORECASE)


def formatted(sql: str) -> str:
    """Return the statement with line breaks. Parentheses without a subquery stay in their line."""
    lines, opened, is_between = [""], [True], False
    for token in _TOKEN.finditer(re.sub(r"\s*\n\s*", " ", sql.strip())):
        kind, text = token.lastgroup, token[0]
        if kind == "close" and len(opened) > 1 and opened.pop():
            lines.append(_indent(opened))
        breaks = kind == "clause" or (kind == "and" and not is_between)
        if opened[-1] and breaks and lines[-1].strip():
            lines.append(_indent(opened) + "  " * (kind == "and"))
        is_between = kind == "between" or (is_between and kind != "and")
        lines[-1] += text if lines[-1].strip() else text.lstrip()
        if kind == "open":
            opened.append(opened[-1] and bool(_SUBQUERY.match(token.string, token.end())))
            lines += [_indent(opened)] * opened[-1]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _indent(opened: list[bool]) -> str:
    return "  " * (sum(opened) - 1)
