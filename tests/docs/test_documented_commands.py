"""What the pages tell a reader to type works, and prints what they show.

Each page is typed from its top to its end, in a clone of its own on what looks like a fresh machine (``terminal``).
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from pages import PAGES, ROOT, Command, commands, matches
from terminal import Result, Terminal

PATIENCE_S = 10.0
"""For what a command shows to become what the page shows: agents need milliseconds, programs a second to start."""

NOT_TYPED = {
    r"make\b": "it installs packages; `make test` is what runs this, `make demo` has its own test in tests/e2e",
    r"git clone\b": "the clone is what these tests run in",
}
"""Commands that only look right here, and why."""

RUNNABLE = [page for page in PAGES if any(commands(page))]


@pytest.mark.parametrize("page", RUNNABLE, ids=str)
def test_everything_on_the_page_can_be_typed_in_order(page: Path, tmp_path: Path) -> None:
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    _clone_into(clone)
    with Terminal(clone, home) as terminal:
        for command in commands(page):
            if typed := _without_untyped(command.text):
                problem = _problem(terminal, command._replace(text=typed))
                assert not problem, f"{page}:{command.line}: {problem}"


def _clone_into(folder: Path) -> None:
    """What a reader has: the checkout, and policies of one's own; written files stay out of the real one."""
    folder.mkdir()
    for entry in (*ROOT.iterdir(), *(Path(__file__).parent / "readers_files").iterdir()):
        (folder / entry.name).symlink_to(entry)


def _without_untyped(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(line for line in lines if not any(re.match(pattern, line) for pattern in NOT_TYPED))


def _problem(terminal: Terminal, command: Command) -> str:
    """What is wrong with what came of typing *command*; empty if nothing is.

    Output that is not yet as shown is asked for again, for a change is in force only after the command that made it.
    """
    result = terminal.run(command.text)
    deadline = time.monotonic() + PATIENCE_S
    while command.output is not None and not _is_as_shown(command.output, result):
        if time.monotonic() > deadline:
            return f"{command.text}\nshould print\n{command.output}\nand prints\n{result.output}{result.errors}"
        result = terminal.run(command.text)
    fails = (command.output or "").startswith("Error: ")
    return "" if (result.status != 0) == fails else f"{command.text}\nexits {result.status}\n{result.errors}"


def _is_as_shown(shown: str, result: Result) -> bool:
    """Progress and warnings go to standard error; a page need not show them."""
    return matches(shown, result.output) or matches(shown, result.output + result.errors)


# --- the reading of pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "seen", "expected"),
    [
        ("a  b", "a  b  \n", True),
        ("a b", "a  b\n", False),
        ("", "", True),
        ("", "a\n", False),
        ("pid …", "pid 17\n", True),
        ("pid …", "pid 17\nmore\n", False),
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a\n…\nd", "a\nd\n", True),
        ("a\n…", "b\nc\n", False),
        ("a.c", "abc\n", False),
    ],
)
def test_an_ellipsis_stands_for_what_may_differ(shown: str, seen: str, expected: bool) -> None:
    assert matches(shown, seen) is expected


def test_every_page_with_commands_is_run() -> None:
    """The README and each tutorial and how-to show something to type."""
    expected = {page for page in PAGES if page.name == "README.md" and len(page.parts) == 1}
    expected |= {page for page in PAGES if page.parts[:2] in (("docs", "tutorial"), ("docs", "howto"))}
    assert expected <= set(RUNNABLE)
