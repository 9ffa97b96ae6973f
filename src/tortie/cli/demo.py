"""``tortie demo``: the demonstrations, walked step by step in a lab."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from tortie.cli.demo_text import render
from tortie.cli.progress import progress
from tortie.lab import ui
from tortie.lab.client import Lab
from tortie.lab.demo import Demo
from tortie.lab.errors import DemoError
from tortie.lab.every_demo import DEMOS
from tortie.lab.families import FAMILIES
from tortie.lab.matrix import Cell, Seen, expected
from tortie.lab.runner import Runner, StepResult, failure_folder, running


class Wishes(NamedTuple):
    """What the command line asks for."""

    lab: str
    only: int | None
    """Show this step alone."""
    as_json: bool
    keep: bool
    pause: bool
    listen: str
    """Where to serve the page; empty for a place on loopback."""

    def say(self, text: str) -> None:
        """Tell a person; standard output is kept free for JSON where that is asked for."""
        click.echo(text, err=self.as_json)


@click.group(invoke_without_command=True)
@click.pass_context
def demo(context: click.Context) -> None:
    """Watch policies stop and admit real packets, on hosts made of network namespaces.

    Without a name it lists the demos.
    """
    if context.invoked_subcommand is None:
        for shown in DEMOS.values():
            click.echo(f"tortie demo {shown.name:<10}{shown.title} ({len(shown.steps)} steps)")


def _add(shown: Demo) -> None:
    """Add the command of one demo to the group."""

    @demo.command(name=shown.name, help=_help(shown))
    @click.option("--no-pause", is_flag=True, help="Run through, without waiting for Enter between the steps.")
    @click.option("--list", "only_list", is_flag=True, help="Print the steps, and do nothing.")
    @click.option(
        "--step",
        type=click.IntRange(1, len(shown.steps)),
        metavar="N",
        help="Go straight to step N and show only that.",
    )
    @click.option(
        "-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the results."
    )
    @click.option("--keep", is_flag=True, help="Leave the lab up at the end; `tortie lab down` removes it.")
    @click.option(
        "--listen",
        default="",
        metavar="ADDRESS:PORT",
        help=f"Where to serve the page. Default: {ui.LOOPBACK}:{ui.PORT}, or any free port there.",
    )
    @click.option("--name", default="", help=f"The lab's name. Default: {shown.name} and this process's number.")
    def run(no_pause: bool, only_list: bool, step: int | None, output: str, keep: bool, listen: str, name: str) -> None:
        if only_list:
            _print_steps(shown, output)
            return
        wishes = Wishes(
            lab=name or (shown.name if keep else f"{shown.name}-{os.getpid()}"),
            only=step,
            as_json=output == "json",
            keep=keep,
            pause=not no_pause and output == "text" and sys.stdin.isatty(),
            listen=listen,
        )
        sys.exit(0 if _run(shown, wishes) else 1)


def _help(shown: Demo) -> str:
    return f"""{shown.title}.

    Builds a lab of {shown.hosts} hosts, starts the workloads and walks {len(shown.steps)} steps. After each it shows who can reach
    whom, measured with real packets in IPv4 and in IPv6, which cells changed, and how long the change took from the commit in
    the datastore to the first packet that got the new verdict, on each host whose verdicts change.

    A page, whose address it prints, draws the same live: who reaches whom, the policies in force, and on a click the rule that
    denies a connection.

    Exits 1 if a measured matrix is not the expected one; the logs and the rulesets are then kept in a folder that it names.
    Ending it in any way leaves nothing behind.
    """


for _shown in DEMOS.values():
    _add(_shown)


def _run(shown: Demo, wishes: Wishes) -> bool:
    """Walk the demo in a lab of its own and print what it shows; whether all of it was as it should be."""
    wishes.say(f"{shown.title}\n")
    listener = ui.listen(wishes.listen)  # first: the address may be taken
    with progress("starting the lab") as tell:
        lab = Lab.launch(wishes.lab, hosts=shown.hosts, progress=tell)
    results: list[StepResult] = []
    with lab, contextlib.ExitStack() as page:
        try:
            with contextlib.ExitStack() as stack:
                with progress("starting the workloads") as tell:
                    tell("starting the workloads")
                    runner = stack.enter_context(running(shown, lab))
                wishes.say(f"Watch it at {ui.url(listener)}")
                _open_page(shown, lab, listener, page)
                results = _walk(shown, runner, wishes)
        except DemoError as error:
            click.echo(f"Error: {error}", err=True)
        ok = bool(results) and all(result.ok for result in results)
        if not ok:
            folder = failure_folder(wishes.lab)
            lab.collect(folder)
            click.echo(f"The logs, rulesets and routes of every host are in {folder}", err=True)
        if wishes.keep:
            lab.detach()
        _conclude(shown, wishes, results, ok=ok)
        if wishes.pause and not wishes.keep:  # the page goes with the lab
            click.echo("\nPress Enter to end ", nl=False)
            sys.stdin.readline()
    return ok


def _open_page(shown: Demo, lab: Lab, listener: socket.socket, until: contextlib.ExitStack) -> None:
    """The demo's own page for as long as the lab is there, else the lab's until the command ends."""
    if shown.collector:
        ui.hand_in(lab, shown.collector.workload, listener)
    else:
        until.enter_context(ui.lab_page(lab, listener))


def _walk(shown: Demo, runner: Runner, wishes: Wishes) -> list[StepResult]:
    """Run the steps, showing each as soon as it is measured; stops at the first that is wrong."""
    results: list[StepResult] = []
    for number, step in enumerate(shown.steps, start=1):
        if wishes.only is not None and number < wishes.only:
            runner.skip_step(number)
            continue
        if results and wishes.pause:
            click.echo(f"\nPress Enter for step {number}: {step.title} ", nl=False)
            sys.stdin.readline()
        wishes.say(f"\nStep {number}: {step.title}\n  {step.text}")
        for manifest in step.apply:
            wishes.say(f"  $ tortie apply -f {manifest}")
        with progress("measuring who can reach whom"):
            result = runner.run_step(number)
        results.append(result)
        wishes.say(render(shown, result))
        if number == wishes.only or not result.ok:
            break
    return results


def _conclude(shown: Demo, wishes: Wishes, results: Sequence[StepResult], *, ok: bool) -> None:
    if wishes.as_json:
        steps = [_as_json(shown, result) for result in results]
        click.echo(json.dumps({"demo": shown.name, "ok": ok, "steps": steps}, indent=2))
    elif ok:
        what = "The measured matrix is" if len(results) == 1 else f"All {len(results)} measured matrices are"
        click.echo(f"\n{what} as expected, in both families.")
    if wishes.keep:
        page = (
            "The page stays too." if shown.collector else f"`tortie lab ui --name {wishes.lab}` opens its page again."
        )
        wishes.say(
            f"\nThe lab is still up. Its datastore: export TORTIE_DATASTORE=lab://{wishes.lab}\n"
            f"{page} `tortie lab down --name {wishes.lab}` removes it."
        )


def _print_steps(shown: Demo, output: str) -> None:
    if output == "json":
        steps = [{"step": n, "title": s.title, "text": s.text} for n, s in enumerate(shown.steps, start=1)]
        click.echo(json.dumps(steps, indent=2))
        return
    for number, step in enumerate(shown.steps, start=1):
        click.echo(f"{number}  {step.title}\n   {step.text}")


# --- JSON ------------------------------------------------------------------------------------------------------------------


def _as_json(shown: Demo, result: StepResult) -> dict[str, Any]:
    wanted = expected(shown, result.step.reachable)
    return {
        "step": result.number,
        "title": result.step.title,
        "ok": result.ok,
        "matrix": _matrix_json(shown, {cell: _is_reachable(seen) for cell, seen in result.matrix.items()}),
        "expected": _matrix_json(shown, {cell: _is_reachable(seen) for cell, seen in wanted.items()}),
        "seen": _matrix_json(shown, result.matrix),
        "changed": [[*cell.pair, cell.family] for cell in result.changed],
        "wrong": [[*cell.pair, cell.family] for cell in result.wrong],
        "enforcementMs": dict(result.enforcement_ms),
    }


def _is_reachable(seen: Seen | None) -> bool | None:
    return None if seen is None else seen is Seen.REACHABLE


def _matrix_json(shown: Demo, matrix: Mapping[Cell, object]) -> dict[str, Any]:
    """By family, then row, then column."""
    return {
        family: {
            row: {column: matrix[Cell((row, column), family)] for column in columns} for row, columns in shown.rows
        }
        for family in FAMILIES
    }
