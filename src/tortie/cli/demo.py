"""``tortie demo``: the demonstrations, walked step by step in a lab."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from tortie.cli.demo_text import render
from tortie.lab.client import Lab
from tortie.lab.demo import Demo
from tortie.lab.matrix import FAMILIES, Cell, Matrix, expected
from tortie.lab.runner import DemoError, Runner, StepResult, failure_folder, running
from tortie.lab.stars import STARS

DEMOS = {demo.name: demo for demo in (STARS,)}

Say = Callable[[str], None]


@click.group()
def demo() -> None:
    """Watch policies stop and admit real packets, on hosts made of network namespaces."""


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
    @click.option("--name", default="", help=f"The lab's name. Default: {shown.name} and this process's number.")
    def run(no_pause: bool, only_list: bool, step: int | None, output: str, keep: bool, name: str) -> None:
        if only_list:
            _print_steps(shown, output)
            return
        pause = not no_pause and output == "text" and sys.stdin.isatty()
        name = name or (shown.name if keep else f"{shown.name}-{os.getpid()}")
        sys.exit(0 if _run(shown, name, step, output, keep, pause) else 1)


def _help(shown: Demo) -> str:
    return f"""{shown.title}.

    Builds a lab of {shown.hosts} hosts, starts the workloads and walks {len(shown.steps)} steps. After each it shows who can reach
    whom, measured with HTTP requests in IPv4 and in IPv6, which cells changed, and how long the change took from the commit in
    the datastore to the first packet that got the new verdict, on each host whose verdicts change.

    Exits 1 if a measured matrix is not the expected one; the logs and the rulesets are then kept in a folder that it names.
    Ending it in any way leaves nothing behind.
    """


for _shown in DEMOS.values():
    _add(_shown)


def _run(shown: Demo, name: str, only: int | None, output: str, keep: bool, pause: bool) -> bool:
    def say(text: str) -> None:
        click.echo(text, err=output == "json")

    say(f"{shown.title}\n")
    results: list[StepResult] = []
    with Lab.launch(name, hosts=shown.hosts, progress=lambda text: say(f"  {text}")) as lab:
        try:
            say("  starting the workloads")
            with running(shown, lab) as runner:
                results = _walk(shown, runner, only, pause, say)
        except DemoError as error:
            click.echo(f"Error: {error}", err=True)
        ok = bool(results) and all(result.ok for result in results)
        if not ok:
            folder = failure_folder(name)
            lab.collect(folder)
            click.echo(f"The logs, rulesets and routes of every host are in {folder}", err=True)
        if keep:
            lab.detach()
            say(f"\nThe lab is still up: export TORTIE_DATASTORE=lab://{name}; tortie lab down --name {name}")
    if output == "json":
        steps = [_as_json(shown, result) for result in results]
        click.echo(json.dumps({"demo": shown.name, "ok": ok, "steps": steps}, indent=2))
    elif ok:
        say(f"\nAll {len(results)} measured matrices are as expected, in both families.")
    return ok


def _walk(shown: Demo, runner: Runner, only: int | None, pause: bool, say: Say) -> list[StepResult]:
    """Run the steps, showing each as soon as it is measured; stops at the first that is wrong."""
    results: list[StepResult] = []
    for number, step in enumerate(shown.steps, start=1):
        if only is not None and number < only:
            runner.skip_step(number)
            continue
        if results and pause:
            click.pause(info=f"\nPress Enter for step {number}: {step.title} ")
        say(f"\nStep {number}: {step.title}\n  {step.text}")
        for manifest in step.apply:
            say(f"  $ tortie apply -f {manifest}")
        result = runner.run_step(number)
        results.append(result)
        say(render(shown, result))
        if number == only or not result.ok:
            break
    return results


def _print_steps(shown: Demo, output: str) -> None:
    if output == "json":
        steps = [{"step": n, "title": s.title, "text": s.text} for n, s in enumerate(shown.steps, start=1)]
        click.echo(json.dumps(steps, indent=2))
        return
    for number, step in enumerate(shown.steps, start=1):
        click.echo(f"{number}  {step.title}\n   {step.text}")


# --- JSON ------------------------------------------------------------------------------------------------------------------


def _as_json(shown: Demo, result: StepResult) -> dict[str, Any]:
    return {
        "step": result.number,
        "title": result.step.title,
        "ok": result.ok,
        "matrix": _matrix_json(shown, result.matrix),
        "expected": _matrix_json(shown, expected(shown, result.step.reachable)),
        "changed": [[*cell.pair, cell.family] for cell in result.changed],
        "wrong": [[*cell.pair, cell.family] for cell in result.wrong],
        "enforcementMs": dict(result.enforcement_ms),
    }


def _matrix_json(shown: Demo, matrix: Matrix) -> dict[str, Any]:
    """By family, then row, then column."""
    return {
        family: {
            row: {column: matrix[Cell((row, column), family)] for column in columns} for row, columns in shown.rows
        }
        for family in FAMILIES
    }
