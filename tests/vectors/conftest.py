"""Which folder of vectors is run, and the table at the end of what became of each file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from vectortables import PROPERTY, Judge, Tally, judged


@pytest.fixture(scope="session")
def folder() -> Path:
    """The folder that TORTIE_VECTORS names; it has no default."""
    named = os.environ.get("TORTIE_VECTORS", "")
    if not named:
        pytest.skip("TORTIE_VECTORS names no folder of vectors")
    found = Path(named)
    if not found.is_dir():
        pytest.fail(f"TORTIE_VECTORS names {named}, which is no folder")
    return found


@pytest.fixture
def run_table(folder: Path, record_property: Callable[[str, object], None]) -> Callable[[str, Judge], None]:
    """``run_table(file, judge)`` judges every case of a file, records the tally and fails with all that failed."""

    def run(file: str, judge: Judge) -> None:
        path = folder / file
        if not path.exists():
            pytest.skip(f"the folder has no {file}")
        tally = judged(path, judge)
        record_property(PROPERTY, tally.as_property(file))
        assert not tally.failed, "\n".join([f"{len(tally.failed)} cases of {file} failed:", *tally.failed])

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line per file; under each, why cases were not applicable. Reports carry the numbers, so workers of xdist count too."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    tallies = [
        Tally.from_property(value)
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if not tallies:
        return
    terminalreporter.section("vectors")
    terminalreporter.write_line(f"{'file':<24}{'passed':>8}{'failed':>8}{'not applicable':>16}")
    for file, passed, failed, reasons in sorted(tallies):
        terminalreporter.write_line(f"{file:<24}{passed:>8}{failed:>8}{sum(reasons.values()):>16}")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{'':<40}{count:>16}  {reason}")
