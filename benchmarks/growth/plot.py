"""Draw the tables of the benchmark as SVG.

Usage: `python -m benchmarks.growth.plot < docs/growth.md > docs/growth.svg`.
"""

import sys
from collections.abc import Iterable

from load.plots import Points, lines_plot

TITLE = "Milliseconds of a request on MariaDB, by the number of customers"
NAMES = {
    "get": "get",
    "create": "create",
    "patch": "merge-patch",
    "list: -created_at": "list",
    "list: limit=100": "list, limit=100",
    "list: q=mar": "list, q=mar",
    "list: created_after, updated_at": "list, created_after, updated_at",
}


def read(text: Iterable[str]) -> dict[str, Points]:
    """Return the times of the named requests by size, from the first table."""
    sizes: list[int] = []
    lines: dict[str, Points] = {}
    for row in text:
        cells = [cell.strip(" `") for cell in row.strip().strip("|").split("|")]
        if cells[0] == "request" and row.rstrip(" |\n").endswith("CPU time"):
            sizes = [int(cell.replace(",", "")) for cell in cells[1:-2]]
        elif row.startswith("32 "):
            break
        elif sizes and cells[0] in NAMES:
            times = [float(cell.removesuffix(" ms")) for cell in cells[1 : len(sizes) + 1]]
            lines[NAMES[cells[0]]] = list(zip(sizes, times, strict=True))
    return lines


if __name__ == "__main__":
    print(lines_plot(TITLE, read(sys.stdin), is_log_x=True, is_log_y=True))
