"""Plot a run as SVG: successes per second, with the faults below, in light and dark mode."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from load.chaos.availability import successes
from load.chaos.faults import API_KILLED, BOTH_KILLED, DATABASE_KILLED, FROZEN
from load.chaos.history import Fault, Operation
from load.plots import document

WIDTH, LEFT, RIGHT, TOP, HEIGHT, LANE = 860, 120, 10, 40, 180, 22
STEPS = (1, 5, 10, 30, 60)
MAX_TICKS = 10
LANES = {
    "database killed": (DATABASE_KILLED, BOTH_KILLED),
    "API killed": (API_KILLED, BOTH_KILLED),
    "database frozen": (FROZEN,),
}
OTHERS = "other faults"
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
.line { fill: none; stroke: #0969da; stroke-width: 1 } .grid { stroke: #d1d9e0 }
.kill { fill: #cf222e } .fault { fill: #bf8700 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .line { stroke: #4493f8 } .grid { stroke: #3d444d }
  .kill { fill: #f85149 } .fault { fill: #d29922 }
}
"""


def draw(operations: Sequence[Operation], faults: Sequence[Fault]) -> str:
    """Return the plot as SVG. The operations must span at least one second."""
    begin = min(operation.began for operation in operations)
    seconds = max(int(max(operation.ended for operation in operations) - begin), 1)
    scale = (WIDTH - LEFT - RIGHT) / seconds
    marks = [_lane(name, n, faults, begin, scale) for n, name in enumerate([*LANES, OTHERS])]
    height = TOP + HEIGHT + 30 + LANE * (len(LANES) + 1)
    title = "Successful operations per second, while parts of the service are killed"
    content = [_line(successes(operations), begin, seconds, scale), _axis(seconds, scale), *marks]
    return document(title, STYLE, (WIDTH, height), content)


def _line(moments: Sequence[float], begin: float, seconds: int, scale: float) -> str:
    counted = Counter(int(moment - begin) for moment in moments)
    maximum = max(counted.values(), default=1)
    points = " ".join(
        f"{LEFT + second * scale:.1f},{TOP + HEIGHT * (1 - counted[second] / maximum):.1f}"
        for second in range(seconds)
    )
    return (
        f'<text x="{LEFT - 8}" y="{TOP + 10}" text-anchor="end">{maximum}</text>'
        f'<text x="{LEFT - 8}" y="{TOP + HEIGHT}" text-anchor="end">0</text>'
        f'<polyline class="line" points="{points}"/>'
    )


def _axis(seconds: int, scale: float) -> str:
    y = TOP + HEIGHT
    step = next((step for step in STEPS if seconds / step <= MAX_TICKS), STEPS[-1])
    ticks = "".join(
        f'<text x="{LEFT + at * scale:.1f}" y="{y + 18}" text-anchor="middle">{at} s</text>'
        for at in range(0, seconds, step)
    )
    return f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>{ticks}'


def _lane(name: str, number: int, faults: Sequence[Fault], begin: float, scale: float) -> str:
    y = TOP + HEIGHT + 30 + number * LANE
    known = {kind for kinds in LANES.values() for kind in kinds}
    visible = [
        fault
        for fault in faults
        if fault.kind in LANES.get(name, ()) or (name == OTHERS and fault.kind not in known)
    ]
    marks = "".join(
        f'<rect class="{"kill" if name in LANES else "fault"}"'
        f' x="{LEFT + (fault.began - begin) * scale:.1f}" y="{y}"'
        f' width="{max((fault.ended - fault.began) * scale, 1.5):.1f}" height="{LANE - 8}">'
        f"<title>{escape(fault.kind)}</title></rect>"
        for fault in visible
    )
    return f'<text x="0" y="{y + 12}">{name}</text>{marks}'
