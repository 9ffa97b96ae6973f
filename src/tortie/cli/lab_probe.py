"""``tortie lab probe``: who reaches whom in a lab, measured."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tortie.cli.lab_name import find, name_option
from tortie.cli.settings import Settings
from tortie.lab.families import FAMILIES

if TYPE_CHECKING:
    from tortie.lab.listening import Port
    from tortie.lab.reachability import Reachability

_MARKS = {
    "reachable": ("yes", "green"),
    "dropped": ("no", "red"),
    "refused": ("refused", "yellow"),
    "no route": ("no route", "red"),
}
_GONE = "no longer there"


@click.command()
@click.option("-w", "--watch", is_flag=True, help="Measure again and again, and print what changes.")
@click.option("--timeout", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, metavar="SECONDS",
              help="How long to wait for an answer.")  # fmt: skip
@click.option("--every", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, metavar="SECONDS",
              help="Between the beginnings of two measurements, with --watch.")  # fmt: skip
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@name_option
@click.pass_obj
def probe(settings: Settings, watch: bool, timeout: float, every: float, form: str, name: str | None) -> None:
    """Measure who reaches whom: from every workload to every TCP and UDP port that another one listens at.

    Each cell is a real connection, in IPv4 and in IPv6: `yes`; `no` if there was no answer, which is how a policy denies;
    `refused`; or `no route`. All are made at the same time. At a UDP port, which nobody has to answer at, it is a datagram of
    one octet: `yes` if it arrives at the workload. With --watch the first matrix is followed by a line for each
    change; with `-o json` too, each measurement that differs from the one before is one line.

    \b
    Examples:
      tortie lab probe
      tortie lab probe --watch
      tortie lab probe -o json
    """
    from tortie.lab.reachability import Meter  # noqa: PLC0415 - with asyncio, which few commands of the group need

    with Meter(find(settings, name), timeout) as meter:
        begun = time.monotonic()
        measured = meter.measure()
        if form == "json":
            click.echo(json.dumps(measured.as_json(), indent=None if watch else 2))
        else:
            click.echo(_matrix(measured))
        while watch:
            sys.stdout.flush()
            time.sleep(max(0.0, begun + every - time.monotonic()))
            begun, before, measured = time.monotonic(), measured, meter.measure()
            changes = measured.changes(before)
            if form == "json" and changes:
                click.echo(json.dumps(measured.as_json()))
            elif form == "text":
                for flow, outcome in changes.items():
                    click.echo(f"{time.strftime('%H:%M:%S')}  {flow}: {_MARKS[outcome][0] if outcome else _GONE}")


def _matrix(measured: Reachability) -> str:
    """A row for each source; a column for each port, with both families' outcomes where they differ."""
    columns = [(target, port) for target, ports in measured.ports.items() for port in ports]
    if not columns:
        return "No workload listens at a port."
    rows = [["FROM", *(f"{target}:{port}" for target, port in columns)]]
    rows += [[source, *(_cell(measured, source, *column) for column in columns)] for source in measured.workloads]
    widths = [max(len(click.unstyle(row[number])) for row in rows) for number in range(len(rows[0]))]
    return "\n".join("   ".join(_padded(row, widths)).rstrip() for row in rows)


def _padded(row: list[str], widths: list[int]) -> Iterator[str]:
    for cell, width in zip(row, widths, strict=True):
        yield cell + " " * (width - len(click.unstyle(cell)))


def _cell(measured: Reachability, source: str, target: str, port: Port) -> str:
    from tortie.lab.reachability import Flow  # noqa: PLC0415 - with asyncio, which few commands of the group need

    if source == target:
        return "."
    marks = {family: _mark(measured.outcomes[Flow(source, target, port, family)]) for family in FAMILIES}
    if len(set(marks.values())) == 1:
        return next(iter(marks.values()))
    return " ".join(f"{family.replace('ip', 'IP')} {mark}" for family, mark in marks.items())


def _mark(outcome: str) -> str:
    text, colour = _MARKS[outcome]
    return click.style(text, fg=colour)
