"""A connectivity matrix as pictures: a graph for Graphviz, and a grid of sources and destinations as SVG, alone or in a page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from tortie.analysis.reach.matrix import Matrix
from tortie.cli.connectivity_tables import rows, service_rows

_CELL, _FONT, _MARGIN = 18, 11, 8
"""In pixels."""
_PAGE = (
    "<!doctype html>\n<meta charset='utf-8'>\n<title>Who can reach whom</title>\n"
    "<style>body {{ font: 14px sans-serif; margin: 2em }} table {{ border-collapse: collapse }} "
    "td, th {{ border: 1px solid #ccc; padding: 4px 8px; text-align: left; vertical-align: top }}</style>\n"
    "<h1>Who can reach whom</h1>\n{picture}\n"
    "<h2>Connections</h2>\n<table><tr><th>to<th>from<th>what</tr>\n{connections}\n</table>\n"
    "<h2>Services</h2>\n<table><tr><th>service<th>from<th>what</tr>\n{services}\n</table>\n"
    "<h2>Groups</h2>\n<table><tr><th>group<th>members</tr>\n{groups}\n</table>"
)


def dot(matrix: Matrix) -> str:
    """A graph in Graphviz' language: a node for each group, an edge for each pair that is connected."""
    lines = ["digraph connectivity {", "  rankdir=LR; node [shape=box];"]
    for number, group in enumerate(matrix.groups):
        shape = ", shape=ellipse" if group.is_outside else ""
        lines.append(f"  g{number} [label={_quoted(group.name)}, tooltip={_quoted(', '.join(group.members))}{shape}];")
    for connection in matrix.connections:
        label = _quoted(", ".join(connection.packets))
        lines += [f"  g{source} -> g{connection.destination} [label={label}];" for source in connection.sources]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def svg(matrix: Matrix) -> str:
    """A grid: a row for each source, a column for each destination, a square where something may pass, darker where all may."""
    named = [escape(group.name) for group in matrix.groups]
    left = _MARGIN * 2 + max(len(group.name) for group in matrix.groups) * _FONT * 0.62
    size = left + len(named) * _CELL + _MARGIN
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size:.0f}" height="{size:.0f}"'
    squares = (_square(matrix, left, *cell) for cell in _cells(matrix))
    return "\n".join(
        [f'{opening} font-family="sans-serif" font-size="{_FONT}">', *_labels(named, left), *squares, "</svg>"]
    )


def _labels(named: list[str], left: float) -> Iterator[str]:
    for number, name in enumerate(named):
        middle = left + number * _CELL + _CELL * 0.7
        yield f'<text x="{left - _MARGIN:.0f}" y="{middle:.0f}" text-anchor="end">{name}</text>'
        yield f'<text transform="translate({middle:.0f} {left - _MARGIN:.0f}) rotate(-90)">{name}</text>'


def _cells(matrix: Matrix) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    for connection in matrix.connections:
        yield from ((source, connection.destination, connection.packets) for source in connection.sources)


def _square(matrix: Matrix, left: float, source: int, destination: int, packets: tuple[str, ...]) -> str:
    x, y = (left + number * _CELL for number in (destination, source))
    colour = "#1b7837" if packets == ("all",) else "#a6dba0"
    title = escape(f"{matrix.groups[source].name} → {matrix.groups[destination].name}: {', '.join(packets)}")
    place = f'x="{x:.0f}" y="{y:.0f}" width="{_CELL - 1}" height="{_CELL - 1}"'
    return f'<rect {place} fill="{colour}"><title>{title}</title></rect>'


def html(matrix: Matrix) -> str:
    """A page with the grid, the connections and who the groups are; it needs nothing else."""
    return _PAGE.format(
        picture=svg(matrix),
        connections=_table_rows(rows(matrix)),
        services=_table_rows(service_rows(matrix)),
        groups=_table_rows((group.name, ", ".join(group.members)) for group in matrix.groups),
    )


def _table_rows(cells: Iterator[tuple[str, ...]]) -> str:
    return "\n".join("<tr>" + "".join(f"<td>{escape(text)}" for text in row) + "</tr>" for row in cells)
