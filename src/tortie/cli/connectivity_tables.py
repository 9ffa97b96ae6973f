"""A connectivity matrix as tables and as a document for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from tortie.analysis.reach.matrix import Connection, Group, Matrix
from tortie.cli import output

_KINDS = {(False, False): "all workloads", (False, True): "all hosts", (True, False): "everywhere outside"}
"""What all groups of a kind are called, by whether they are outside, and hosts."""
_TOLD = 4
"""So many of a long list are told."""


def print_tables(matrix: Matrix) -> None:
    """For people: the connections, then who the groups are that are more than one."""
    output.print_table(("TO", "FROM", "WHAT"), list(rows(matrix)))
    if matrix.services:
        click.echo()
        output.print_table(("SERVICE", "FROM", "WHAT"), list(service_rows(matrix)))
    together = [(group.name, ", ".join(group.members)) for group in matrix.groups if len(group.members) > 1]
    if together:
        click.echo()
        output.print_table(("GROUP", "MEMBERS"), together)


def markdown(matrix: Matrix) -> str:
    """The same for a page of text."""
    lines = list(_markdown_table(("to", "from", "what"), rows(matrix)))
    if matrix.services:
        lines += ["", *_markdown_table(("service", "from", "what"), service_rows(matrix))]
    lines += [""]
    lines += [f"- **{group.name}**: {', '.join(group.members)}" for group in matrix.groups if len(group.members) > 1]
    return "\n".join(lines).rstrip()


def _markdown_table(headers: Sequence[str], cells: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield "|---" * len(headers) + "|"
    for row in cells:
        escaped = (cell.replace("|", r"\|") for cell in row)
        yield f"| {' | '.join(escaped)} |"


def document(matrix: Matrix) -> dict[str, Any]:
    """For programs."""
    return {
        "groups": [
            {
                "name": group.name,
                "members": group.members,
                "outside": group.is_outside,
                "host": group.is_host,
                "ipVersions": [int(family) for family in group.families],
            }
            for group in matrix.groups
        ],
        "connections": [
            {
                "from": [matrix.groups[source].name for source in connection.sources],
                "to": matrix.groups[connection.destination].name,
                "packets": connection.packets,
            }
            for connection in matrix.connections
        ],
        "services": [
            {
                "service": found.service,
                "port": found.port,
                "from": [matrix.groups[source].name for source in found.every],
                "fromInPart": [matrix.groups[source].name for source in found.some],
            }
            for found in matrix.services
        ],
    }


def rows(matrix: Matrix) -> Iterator[tuple[str, str, str]]:
    """To whom, from whom, what; of workloads that nobody can reach that too."""
    by_destination: dict[int, list[Connection]] = {}
    for connection in matrix.connections:
        by_destination.setdefault(connection.destination, []).append(connection)
    for number, group in enumerate(matrix.groups):
        for connection in by_destination.get(number, ()):
            yield group.name, sources(matrix, connection), ", ".join(connection.packets)
        if number not in by_destination and not group.is_outside:
            yield group.name, "nobody", ""


def service_rows(matrix: Matrix) -> Iterator[tuple[str, str, str]]:
    """Of every port of a service who reaches it; apart, who reaches only some of the workloads behind it."""
    for found in matrix.services:
        yield found.service, _told(matrix, found.every, None) or "nobody", found.port
        if found.some:
            yield found.service, _told(matrix, found.some, None), f"{found.port}, in part"


def sources(matrix: Matrix, connection: Connection) -> str:
    """Who the sources are, in few words."""
    return _told(matrix, connection.sources, connection.destination)


def _told(matrix: Matrix, numbers: Sequence[int], to: int | None) -> str:
    told: list[str] = []
    left = set(numbers)
    for (is_outside, is_host), name in _KINDS.items():
        everybody = _numbers(matrix, to, is_outside=is_outside, is_host=is_host)
        if len(everybody) > 1 and everybody <= left:
            left -= everybody
            told.append(name)
    told += [matrix.groups[number].name for number in sorted(left)]
    return ", ".join(told if len(told) <= _TOLD else [*told[: _TOLD - 1], f"{len(told) - _TOLD + 1} more groups"])


def _numbers(matrix: Matrix, to: int | None, *, is_outside: bool, is_host: bool) -> set[int]:
    """All groups of one kind that may be sources of a connection to a group; None: to any."""
    return {
        number
        for number, group in enumerate(matrix.groups)
        if (group.is_outside, group.is_host) == (is_outside, is_host)
        and (to is None or _may_reach(group, number, matrix.groups[to], to))
    }


def _may_reach(group: Group, number: int, destination: Group, to: int) -> bool:
    """Of one workload nothing is said to itself, nor of ends without an IP version in common."""
    is_itself = number == to and len(group.members) == 1
    return not is_itself and any(family in destination.families for family in group.families)
