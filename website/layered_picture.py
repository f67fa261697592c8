"""A graph as SVG, from top to bottom, for narrow screens.

Graphviz would draw it otherwise with each version and each font of a system, and a test compares the pictures.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .template_graph import Graph, Node

_WIDTH, _SPACE, _LINE, _MARGIN, _BEND, _PORT = 188, 22, 16, 14, 12, 44
_INK, _GREY, _PANEL = "#24292f", "#57606a", "#f6f8fa"
_FILLS = {"Lambda": "#fff1e5", "SQS": "#ffeff7", "Kinesis": "#fbefff", "API": "#fbefff"}
_CHARACTER = 6.4  # the width of one at 12 px, on average

_Edge: TypeAlias = "tuple[str, str]"
_Point: TypeAlias = "tuple[float, float]"


@dataclass
class _Place:
    """A box, or the point where a long arrow passes a row."""

    row: int
    width: float
    x: float = 0.0


def picture(graph: Graph, title: str) -> str:
    """Draw the graph; its description lists the arrows in words."""
    layout = _Layout(graph)
    arrows = [layout.points(edge) for edge in graph.edges]
    described = "; ".join(
        f"{graph.nodes[source].name} to {graph.nodes[target].name}: {', '.join(said) or 'connects'}"
        for (source, target), said in graph.edges.items()
    )
    wide, high = f"{layout.width:.0f}", f"{layout.height:.0f}"
    size = f'width="{wide}" height="{high}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" {size} role="img" '
        'font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(described)}.</desc>",
        f'<rect {size} rx="8" fill="{_PANEL}"/>',
        *(_arrow(points) for points in arrows),
    ]
    for name, node in graph.nodes.items():
        parts += _box(node, layout.places[name].x, layout.tops[layout.places[name].row])
    for x, y, lines in layout.labels:
        outline = f'stroke="{_PANEL}" stroke-width="4" paint-order="stroke"'
        parts += (_text(x, y + _LINE * number, line, outline) for number, line in enumerate(lines))
    return "\n".join([*parts, "</svg>", ""])


class _Layout:
    """Where everything stands: rows by who leads to whom, then the order within a row, then the room between rows."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.places = {name: _Place(row, _WIDTH) for name, row in _rows(graph).items()}
        self._ways = {edge: self._way(edge) for edge in graph.edges}
        self.width = self._order()
        self._ports = self._spread()
        self._heights: dict[int, int] = defaultdict(int)
        for name, node in graph.nodes.items():
            row = self.places[name].row
            self._heights[row] = max(self._heights[row], _height(node))
        self.tops = {0: float(_MARGIN)}
        self.labels: list[tuple[float, float, list[str]]] = []
        last = max(self._heights)
        for row in range(last):
            self._make_room_below(row)
        self.height = self.tops[last] + self._heights[last] + _MARGIN

    def points(self, edge: _Edge) -> list[_Point]:
        """List where an arrow leaves, bends and arrives."""
        source, *passed, target = self._ways[edge]
        bottom = self.tops[self.places[source].row] + _height(self._graph.nodes[source])
        points = [(self.places[source].x + self._ports[edge, "from"], bottom)]
        for name in passed:
            place = self.places[name]
            points += [(place.x, self.tops[place.row]), (place.x, self.tops[place.row] + self._heights[place.row])]
        points.append((self.places[target].x + self._ports[edge, "to"], self.tops[self.places[target].row]))
        return points

    def _way(self, edge: _Edge) -> list[str]:
        first, last = (self.places[name].row for name in edge)
        passed = {f"{edge[0]}>{edge[1]}>{row}": _Place(row, _BEND) for row in range(first + 1, last)}
        self.places.update(passed)
        return [edge[0], *passed, edge[1]]

    def _order(self) -> float:
        """Order each row by the middle of its neighbours, a few times over; return the width of the widest."""
        neighbours: dict[str, list[str]] = defaultdict(list)
        for way in self._ways.values():
            for upper, lower in pairwise(way):
                neighbours[upper].append(lower)
                neighbours[lower].append(upper)
        rows: dict[int, list[str]] = defaultdict(list)
        for name, place in self.places.items():
            rows[place.row].append(name)
        wide = {row: sum(self.places[name].width + _SPACE for name in names) for row, names in rows.items()}
        longest = max((len(line) for said in self._graph.edges.values() for line in said), default=0)
        widest = max(longest * _CHARACTER, *wide.values())
        for _ in range(8):
            for row, names in sorted(rows.items()):
                names.sort(key=lambda name: _middle([self.places[near].x for near in neighbours[name]]))
                left = _MARGIN + (widest - wide[row] + _SPACE) / 2
                for name in names:
                    self.places[name].x = left + self.places[name].width / 2
                    left += self.places[name].width + _SPACE
        return widest + 2 * _MARGIN

    def _spread(self) -> dict[tuple[_Edge, str], float]:
        """Spread the arrows of a box along its edge, in the order of where they go."""
        sides: dict[tuple[str, str], list[tuple[float, _Edge]]] = defaultdict(list)
        for edge, way in self._ways.items():
            sides[edge[0], "from"].append((self.places[way[1]].x, edge))
            sides[edge[1], "to"].append((self.places[way[-2]].x, edge))
        ports: dict[tuple[_Edge, str], float] = {}
        for (_, side), arrows in sides.items():
            step = min(_PORT, _WIDTH / (len(arrows) + 1))
            for number, (_, edge) in enumerate(sorted(arrows)):
                ports[edge, side] = (number - (len(arrows) - 1) / 2) * step
        return ports

    def _make_room_below(self, row: int) -> None:
        bottom = self.tops[row] + self._heights[row]
        leaving = [edge for edge, said in self._graph.edges.items() if said and self.places[edge[0]].row == row]
        for gap in range(40, 400, 10):
            self.tops[row + 1] = bottom + gap
            placed = self._placed(leaving, bottom, row)
            if placed is not None:
                self.labels += placed
                return

    def _placed(self, leaving: list[_Edge], bottom: float, row: int) -> list[tuple[float, float, list[str]]] | None:
        """Place what stands on the arrows below a row, each as near to the middle of its arrow as the others let it."""
        taken: list[tuple[float, float, float, float]] = []
        placed: list[tuple[float, float, list[str]]] = []
        end = self.tops[row + 1]
        for edge in leaving:
            lines = self._graph.edges[edge]
            half, high = max(len(line) for line in lines) * _CHARACTER / 2 + 5, len(lines) * _LINE
            way = self._ways[edge]
            from_x, to_x = self.places[edge[0]].x + self._ports[edge, "from"], self.places[way[1]].x
            if len(way) == 2:
                to_x += self._ports[edge, "to"]
            from_y = self.tops[row] + _height(self._graph.nodes[edge[0]])
            middle = (bottom + end - high) / 2
            tops = sorted(range(int(bottom) + 2, int(end - 8 - high), 2), key=lambda top: abs(top - middle))
            for top in tops:
                x = from_x + (top + high / 2 - from_y) / (end - from_y) * (to_x - from_x)
                x = min(max(x, half + 4), self.width - half - 4)
                box = (x - half, top, x + half, top + high)
                if not any(_overlap(box, other) for other in taken):
                    taken.append(box)
                    placed.append((x, top + 12, lines))
                    break
            else:
                return None
        return placed


def _rows(graph: Graph) -> dict[str, int]:
    """Put each node below all that lead to it; an arrow that would close a circle doesn't count."""
    sources: dict[str, list[str]] = defaultdict(list)
    for source, target in graph.edges:
        sources[target].append(source)
    rows: dict[str, int] = {}

    def row(name: str, below: tuple[str, ...]) -> int:
        if name not in rows:
            leading = [source for source in sources[name] if source not in (*below, name)]
            rows[name] = max((row(source, (*below, name)) + 1 for source in leading), default=0)
        return rows[name]

    return {name: row(name, ()) for name in graph.nodes}


def _middle(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _height(node: Node) -> int:
    return 20 + _LINE * (2 + len(node.limits))


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _box(node: Node, middle: float, top: float) -> list[str]:
    fill = next((fill for word, fill in _FILLS.items() if word in node.kind), "#ddf4ff")
    lines = [(node.kind, 'font-weight="600"'), (node.name, f'fill="{_GREY}"'), *((limit, "") for limit in node.limits)]
    return [
        f'<rect x="{middle - _WIDTH / 2:.0f}" y="{top:.0f}" width="{_WIDTH}" height="{_height(node)}" rx="6" '
        f'fill="{fill}" stroke="{_GREY}"/>',
        *(_text(middle, top + 22 + _LINE * number, line, style) for number, (line, style) in enumerate(lines)),
    ]


def _text(x: float, y: float, line: str, style: str) -> str:
    ink = "" if style.startswith("fill") else f' fill="{_INK}"'
    return f'<text x="{x:.0f}" y="{y:.0f}"{ink}{" " + style if style else ""}>{escape(line)}</text>'


def _arrow(points: list[_Point]) -> str:
    (from_x, from_y), (x, y) = points[-2:]
    length = ((x - from_x) ** 2 + (y - from_y) ** 2) ** 0.5
    along_x, along_y = (x - from_x) / length * 8, (y - from_y) / length * 8
    corners = [
        (x, y),
        (x - along_x - along_y / 2, y - along_y + along_x / 2),
        (x - along_x + along_y / 2, y - along_y - along_x / 2),
    ]
    way, head = (" ".join(f"{a:.0f},{b:.0f}" for a, b in line) for line in (points, corners))
    return (
        f'<polyline points="{way}" fill="none" stroke="{_GREY}" stroke-width="1.5"/>'
        f'<polygon points="{head}" fill="{_GREY}"/>'
    )
