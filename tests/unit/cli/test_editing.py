"""``tortie edit``: a text goes to an editor and comes back; what is wrong comes back as comments."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tortie.cli import edit
from tortie.datastore.sqlite import SQLiteStore

Tortie = Callable[..., Result]

KEY = "/calico/resources/v3/projectcalico.org/ippools/p"
POOL = "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.0.0.0/16}}"


@pytest.fixture
def filled(tortie: Tortie) -> Tortie:
    tortie("apply", "-f", "-", stdin=POOL)
    return tortie


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Sets an editor that makes these replacements, one each time it is opened; what it was shown is kept in the folder returned."""

    def install(*replacements: tuple[str, str]) -> Path:
        shown = tmp_path / "shown"
        shown.mkdir()
        program = tmp_path / "editor.py"
        program.write_text(
            "import pathlib, sys\n"
            f"shown, replacements = pathlib.Path({str(shown)!r}), {replacements!r}\n"
            "draft = pathlib.Path(sys.argv[1])\n"
            "text = draft.read_text()\n"
            "turn = len(list(shown.iterdir()))\n"
            "(shown / str(turn)).write_text(text)\n"
            "old, new = replacements[turn]\n"
            "draft.write_text(text.replace(old, new))\n"
        )
        monkeypatch.setenv("VISUAL", "")
        monkeypatch.setenv("EDITOR", f"{sys.executable} {program}")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        return shown

    return install


@pytest.fixture
def meanwhile(tortie: Tortie, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets somebody else run a command while the editor is open."""
    opened = edit._open_editor

    def install(*arguments: str, stdin: str = "") -> None:
        def and_meanwhile(draft: Path) -> None:
            opened(draft)
            tortie(*arguments, stdin=stdin)

        monkeypatch.setattr(edit, "_open_editor", and_meanwhile)

    return install


def spec(store: SQLiteStore) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.get(KEY).value)["spec"]
    return found


def drafts(folder: Path) -> list[Path]:
    return list(folder.parent.glob("tortie-edit-*"))


def test_what_is_saved_is_stored(filled: Tortie, store: SQLiteStore, editor: Callable[..., Path]) -> None:
    shown = editor(("ipipMode: Never", "ipipMode: Always"))
    assert filled("edit", "ippool", "p").stdout == "ippool.projectcalico.org/p edited\n"
    assert spec(store)["ipipMode"] == "Always"
    assert drafts(shown) == []


@pytest.mark.parametrize("saved", [("", ""), ("#", "#")], ids=["unchanged", "the same"])
def test_an_unchanged_text_changes_nothing(
    filled: Tortie, store: SQLiteStore, editor: Callable[..., Path], saved: tuple[str, str]
) -> None:
    shown = editor(saved)
    before = store.revision()
    assert filled("edit", "ippool", "p").stderr == "Edit cancelled: nothing was changed.\n"
    assert store.revision() == before
    assert drafts(shown) == []


def test_what_is_wrong_is_shown_as_comments_until_it_is_right(
    filled: Tortie, store: SQLiteStore, editor: Callable[..., Path]
) -> None:
    shown = editor(("ipipMode: Never", "ipipMode: Sometimes"), ("Sometimes", "CrossSubnet"))
    filled("edit", "ippool", "p")
    assert spec(store)["ipipMode"] == "CrossSubnet"
    second = (shown / "1").read_text().splitlines()
    comment = next(line for line in second if "Sometimes" in line and line.startswith("#"))
    number = int(comment.removeprefix("# line ").partition(":")[0])
    assert second[number - 1].strip() == "ipipMode: Sometimes"


def test_what_is_refused_is_shown_as_comments_too(filled: Tortie, editor: Callable[..., Path]) -> None:
    shown = editor(("10.0.0.0/16", "10.9.0.0/16"), ("10.9.0.0/16", "10.0.0.0/16"))
    assert "cancelled" in filled("edit", "ippool", "p").stderr
    assert "# IPPool p: spec.cidr: 10.9.0.0/16 cannot replace 10.0.0.0/16" in (shown / "1").read_text()


def test_saving_a_wrong_text_twice_gives_up_and_keeps_it(filled: Tortie, editor: Callable[..., Path]) -> None:
    shown = editor(("name: p", "name: q"), ("", ""))
    assert "it is kept in" in filled("edit", "ippool", "p", status=1).stderr
    (draft,) = drafts(shown)
    assert "IPPool q is not what is edited" in draft.read_text()


def test_a_change_by_somebody_else_is_told_and_the_text_kept(
    filled: Tortie, store: SQLiteStore, editor: Callable[..., Path], meanwhile: Callable[..., None]
) -> None:
    shown = editor(("ipipMode: Never", "ipipMode: Always"))
    meanwhile("apply", "-f", "-", stdin=POOL.replace("/16}", "/16, natOutgoing: true}"))
    message = filled("edit", "ippool", "p", status=1).stderr
    assert "IPPool p has changed since" in message
    (draft,) = drafts(shown)
    assert str(draft) in message
    assert spec(store)["natOutgoing"] is True


def test_a_deletion_by_somebody_else_keeps_the_text_too(
    filled: Tortie, editor: Callable[..., Path], meanwhile: Callable[..., None]
) -> None:
    shown = editor(("ipipMode: Never", "ipipMode: Always"))
    meanwhile("delete", "ippool", "p")
    message = filled("edit", "ippool", "p", status=1).stderr
    (draft,) = drafts(shown)
    assert f"The text is kept in {draft}" in message


def test_a_newer_versions_fields_are_named_and_stay(
    filled: Tortie, store: SQLiteStore, editor: Callable[..., Path]
) -> None:
    document = json.loads(store.get(KEY).value)
    document["spec"]["future"] = {"a": 1}
    store.apply(KEY, json.dumps(document).encode())
    shown = editor(("ipipMode: Never", "ipipMode: Always"))
    filled("edit", "ippool", "p")
    assert (spec(store)["ipipMode"], spec(store)["future"]) == ("Always", {"a": 1})
    first = (shown / "0").read_text()
    assert "# A newer version's fields, which stay as they are: spec.future\n" in first
    assert "future:" not in first


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("false", "failed with status 1"),
        ("/no/such", "there is no editor"),
        ('vi "', "is no command: No closing quotation"),
        (" ", "is no command; set EDITOR"),
        ('sh -c \'printf "\\377" > "$0"\'', "not UTF-8 text: byte 0xff. The text is kept there"),
    ],
)
def test_an_editor_that_fails_is_told(
    filled: Tortie, editor: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, program: str, message: str
) -> None:
    editor()
    monkeypatch.setenv("EDITOR", program)
    assert message in filled("edit", "ippool", "p", status=1).stderr
