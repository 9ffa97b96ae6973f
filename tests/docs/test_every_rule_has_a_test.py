"""The table of rules in the compatibility page names tests, and they are there."""

from __future__ import annotations

import re

import pytest
from pages import ROOT

PAGE = (ROOT / "docs" / "compat.md").read_text()
TABLE = PAGE.partition("## Rules of policy, and their tests")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| ([^|]+) \| (packets|API|ours) \| `([\w/]+\.py)::(\w+)` \|$", TABLE, flags=re.MULTILINE)


def test_every_row_of_the_table_is_a_heading_or_names_a_test() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")]
    headings = [line for line in rows if re.fullmatch(r"\| \*\*[^|]+\*\* \|  \|  \|", line)]
    assert len(rows) == 1 + len(headings) + len(ROWS)
    assert len(ROWS) > 60


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[3])
def test_the_test_of_a_rule_is_there(row: tuple[str, str, str, str]) -> None:
    _, _, file, test = row
    assert re.search(rf"^def {test}\(", (ROOT / "tests" / file).read_text(), flags=re.MULTILINE)
