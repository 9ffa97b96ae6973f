"""The folder's other files: their tables come with their issues, and until then they are counted, not passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import differences
import verdictform
from vectortables import PROPERTY, Case, NotApplicable, judged

JUDGED = (
    "polprog.json",
    "selectors.json",
    "scalars.json",
    "validation.json",
    "conversion.json",
    "yaml.json",
    "calc_states.json",
    *verdictform.FILES,
    "calicoctl.json",
    "etcd.json",
)
"""The files that have a test of their own."""


def judge(case: Case) -> None:
    raise NotApplicable(differences.OTHER_ISSUES)


def test_every_other_file_is_counted(folder: Path, record_property: Callable[[str, object], None]) -> None:
    for path in sorted(folder.glob("*.json")):
        if path.name not in JUDGED:
            record_property(PROPERTY, judged(path, judge).as_property(path.name))


def test_every_difference_is_named_in_the_compatibility_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "compat.md").read_text(encoding="utf-8")
    assert [reason for reason in differences.REASONS if reason not in page] == []
