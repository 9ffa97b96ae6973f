"""The reference pages are what the declarations say now."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import ROOT

from tortie.cli.reference.examples import examples
from tortie.cli.reference.naming import stem
from tortie.cli.reference.pages import INDEX, pages, write_pages
from tortie.cli.reference.tree import describe_kind, structs
from tortie.model.document import read
from tortie.model.kinds import KINDS, Kind

FOLDER = ROOT / "docs" / "reference"
EXPECTED = pages()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_page_is_up_to_date(name: str) -> None:
    path = FOLDER / name
    assert path.exists(), "`make reference` writes it"
    assert path.read_text(encoding="utf-8") == EXPECTED[name], "`make reference` rewrites it"


def test_there_is_a_page_for_each_kind_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {INDEX, *(f"{stem(kind)}.md" for kind in KINDS)}


@pytest.mark.parametrize("kind", KINDS, ids=stem)
def test_every_struct_and_field_says_what_it_is(kind: Kind) -> None:
    silent = [
        (struct.cls.__name__, field.name if field else "")
        for struct in structs(describe_kind(kind))
        for field in (None, *struct.fields)
        if not (field or struct).description
    ]
    assert silent == [], "a docstring after the field's declaration in tortie.model is what users are shown"


@pytest.mark.parametrize("kind", KINDS, ids=stem)
def test_every_kind_has_an_example_without_a_fault(kind: Kind) -> None:
    result = read(examples()[kind])
    assert (result.errors, result.warnings) == ((), ())
    assert [item.key.kind for item in result.resources] == [kind]


def test_pages_of_kinds_that_are_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "frobnicator.md").write_text("gone")
    (tmp_path / "notes.txt").write_text("somebody's")
    write_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*EXPECTED, "notes.txt"}


def test_a_bar_does_not_end_a_cell_nor_a_name_pass_for_html() -> None:
    rows = [line for text in EXPECTED.values() for line in text.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {5}
