"""What every suite shares: golden files, how hard Hypothesis tries, and what random tests have counted."""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tortie.testing.tally import Tally

# Tests in namespaces run in forked children, which gRPC's handlers would give threads: and a process with threads cannot enter a
# user namespace. The children never use gRPC. Read when gRPC begins.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A shell lets what it runs in the background ignore Ctrl-C, and programs that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["pytester"]  # for the tests of tortie.pytest_plugin

settings.register_profile("soak", max_examples=2000, deadline=None)
settings.register_profile("test", print_blob=True, deadline=None)  # a busy machine is no fault
settings.load_profile("soak" if "TORTIE_SOAK" in os.environ else "test")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")
    parser.addoption("--results", type=Path, metavar="FILE", help="write what random tests have counted to a page")
    parser.addoption("--update-screenshots", action="store_true", help="take the screenshots in docs/screenshots anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """``golden(path, text)`` fails with a diff where *text* is not the file's; with ``--update-golden`` it rewrites the file."""
    update = bool(request.config.getoption("--update-golden"))

    def compare(path: Path, text: str) -> None:
        if update:
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text.splitlines() == expected.splitlines(), f"{path} differs; --update-golden rewrites it"

    return compare


# --- what random tests have counted --------------------------------------------------------------------------------------


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str, Tally], None]:
    """``record(title, tally)``: the counts of all tests under one title are added up and printed when all have run."""

    def add(title: str, tally: Tally) -> None:
        counts = {section: dict(counter) for section, counter in tally.counts.items()}
        request.node.user_properties.append((f"tally: {title}", counts))

    return add


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``note(title, line)``: the lines of all tests under one title are printed when all have run."""

    def add(title: str, line: str) -> None:
        request.node.user_properties.append((f"note: {title}", line))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """With workers (xdist) this runs where their reports arrive, so it knows of all of them."""
    stats = terminalreporter.stats
    reports = (*stats.get("passed", ()), *stats.get("failed", ()))
    sections = dict(_sections([entry for report in reports for entry in report.user_properties]))
    for title, lines in sections.items():
        terminalreporter.section(title)
        terminalreporter.write_line("\n".join(lines))
    path: Path | None = config.getoption("--results")
    if path is not None:
        path.write_text("\n".join(_page(sections, len(stats.get("failed", ())))) + "\n", encoding="utf-8")


def _sections(properties: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """What was noted and counted, by title."""
    tallies: dict[str, Tally] = {}
    notes: dict[str, list[str]] = {}
    for name, value in properties:
        if name.startswith("tally: "):
            tallies.setdefault(name.removeprefix("tally: "), Tally()).merge(value)
        elif name.startswith("note: "):
            notes.setdefault(name.removeprefix("note: "), []).append(value)
    yield from ((f"{title}: {tally.total:,}", list(tally.lines())) for title, tally in sorted(tallies.items()))
    yield from ((f"{title}: {len(lines)}", sorted(lines)) for title, lines in sorted(notes.items()))


def _page(sections: Mapping[str, Sequence[str]], failed: int) -> Iterator[str]:
    yield "# The last soak"
    yield ""
    yield f"Written by `make soak` on {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}. Tests that failed in it: {failed}."
    yield "A packet on which oracle, rulesets and kernels differ fails its test."
    for title, lines in sections.items():
        yield from ("", f"## {title[0].upper()}{title[1:]}", "", "```text", *lines, "```")
