"""Draw the diagrams of docs/diagrams from their text sources: `make diagrams`.

Needs Graphviz's `dot`. Each SVG has the digest of its source, so that a test notices a diagram
that was not drawn again. The colors follow the light or dark scheme of the page.
"""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "diagrams"
STYLE = """<style>
  .graph > polygon { fill: none; stroke: none }
  text { fill: #1f2328 }
  .node path, .node polygon { fill: #ffffff; stroke: #57606a }
  .node.code path { fill: #ddf4ff; stroke: #0969da }
  .node.outside path { fill: #f6f8fa; stroke-dasharray: 4 3 }
  .cluster path { fill: #f6f8fa; stroke: #8c959f }
  .edge path { stroke: #57606a }
  .edge polygon { fill: #57606a; stroke: #57606a }
  .edge.response path { stroke: #1a7f37 }
  .edge.response polygon { fill: #1a7f37; stroke: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .node path, .node polygon { fill: #21262d; stroke: #8b949e }
    .node.code path { fill: #0c2d6b; stroke: #58a6ff }
    .node.outside path { fill: #161b22 }
    .cluster path { fill: #161b22; stroke: #6e7681 }
    .edge path { stroke: #8b949e }
    .edge polygon { fill: #8b949e; stroke: #8b949e }
    .edge.response path { stroke: #3fb950 }
    .edge.response polygon { fill: #3fb950; stroke: #3fb950 }
  }
</style>"""


def main() -> int:
    for source in sorted(FOLDER.glob("*.dot")):
        try:
            source.with_suffix(".svg").write_text(draw(source), encoding="utf-8")
        except FileNotFoundError:
            print("error: install Graphviz: `dot` draws the diagrams", file=sys.stderr)
            return 1
    return 0


def draw(source: Path) -> str:
    """Return the SVG of a source. Raises FileNotFoundError without Graphviz."""
    dot = ["dot", "-Tsvg", str(source)]
    svg = subprocess.run(dot, check=True, capture_output=True, text=True).stdout
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)  # they have Graphviz's version
    start = svg.index("<svg")
    end = svg.index(">", start) + 1
    return f"<!-- {digest(source)} -->\n{svg[start:end]}\n{STYLE}{svg[end:]}"


def digest(source: Path) -> str:
    """Return what an SVG of the source has, as drawn by this version of the program."""
    drawn_from = source.read_text(encoding="utf-8") + STYLE
    return f"{source.name} {hashlib.sha256(drawn_from.encode()).hexdigest()[:16]}"


if __name__ == "__main__":
    sys.exit(main())
