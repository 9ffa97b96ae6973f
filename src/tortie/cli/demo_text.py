"""A demo's results as text: the matrix, what changed in it, what is wrong with it, how long it took."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tortie.lab.demo import Demo
from tortie.lab.families import FAMILIES
from tortie.lab.matrix import Cell, Seen, expected
from tortie.lab.runner import StepResult

_UNKNOWN = ("?", "yellow")
_MARKS = {Seen.REACHABLE: ("yes", "green"), Seen.TIMED_OUT: ("no", "red")}
"""All else is never expected, and spelled out below the matrix."""

_WORDS = {Seen.REACHABLE: "reachable", Seen.TIMED_OUT: "not reachable", None: "unknown"}
_FAMILY_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}


def render(demo: Demo, result: StepResult) -> str:
    """A step's result; colours are left out where the output is no terminal (click.echo)."""
    lines = [*_matrix(demo, result)]
    if result.changed:
        lines += ["", "  changed (*): " + ", ".join(_pairs(result.changed))]
    for host, took in result.enforcement_ms.items():
        lines.append(
            f"  {host}: " + ("not in force in time" if took is None else f"in force {took:.0f} ms after the commit")
        )
    wanted = expected(demo, result.step.reachable)
    lines += [
        f"  WRONG: {cell.pair[0]} to {cell.pair[1]}, {_FAMILY_NAMES[cell.family]}: "
        f"{_word(result.matrix[cell])}, expected {_word(wanted[cell])}"
        for cell in result.wrong
    ]
    return "\n".join(line.rstrip() for line in lines)


def _word(seen: Seen | None) -> str:
    return _WORDS.get(seen, str(seen))


def _matrix(demo: Demo, result: StepResult) -> Iterator[str]:
    columns = [column.id for column in demo.columns]
    width = max(6, *(len(row) + 1 for row, _ in demo.rows))
    yield f"\n  {'':{width}}" + "".join(f"to {column:<13}" for column in columns)
    yield f"  {'from':{width}}" + "IPv4    IPv6    " * len(columns)
    for row, targets in demo.rows:
        cells = (
            _mark(result, Cell((row, column), family), column in targets) for column in columns for family in FAMILIES
        )
        yield f"  {row:<{width}}" + "".join(cells)


def _mark(result: StepResult, cell: Cell, measured: bool) -> str:
    """One cell, eight columns wide; a star where it has just changed, a dot where nobody measures."""
    if not measured:
        return f"{'.':<8}"
    seen = result.matrix[cell]
    mark, colour = _MARKS.get(seen, _UNKNOWN) if seen else _UNKNOWN
    starred = mark + "*" * (cell in result.changed)
    return click.style(starred, fg=colour, bold=cell in result.changed) + " " * (8 - len(starred))


def _pairs(cells: tuple[Cell, ...]) -> list[str]:
    """The pairs of *cells*; with its family where the other family did not change."""
    changed = set(cells)
    shown = []
    for cell in cells:
        twin = cell._replace(family="ipv6" if cell.family == "ipv4" else "ipv4")
        arrow = f"{cell.pair[0]}→{cell.pair[1]}"
        shown.append(arrow if twin in changed else f"{arrow} ({_FAMILY_NAMES[cell.family]})")
    return list(dict.fromkeys(shown))
