"""``tortie edit``: resources as text in one's editor, and back; what is wrong comes back as comments at the top."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from tortie.cli.carrying_out import Report, new_stamp, tell
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError, in_one_sentence
from tortie.cli.manifests import decoded
from tortie.cli.naming import required_keys
from tortie.cli.options import namespace_option, policy_tests_option, report_option, version_option
from tortie.cli.policy_guard import Guard, guarded, unchecked
from tortie.cli.settings import Settings, datastore_options
from tortie.cli.stored import Stored
from tortie.cli.writing import Change, Outcome, Stamp, perform, plan_apply
from tortie.cli.writing.modifying import current_document
from tortie.cli.writing.reading import find
from tortie.datastore.store import Store, StoreError
from tortie.model.document import ReadResource, read
from tortie.model.fieldpath import path_text
from tortie.model.kinds import ResourceKey
from tortie.model.undeclared import undeclared_paths, without_undeclared
from tortie.model.yamltext import yaml_text

_INTRODUCTION = """\
# Save and leave the editor to store what is below; leave it unchanged, or empty, to change nothing.
"""


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="KIND NAME...")
@namespace_option("Of the resources named.")
@report_option
@policy_tests_option
@version_option
@datastore_options
@click.pass_obj
def edit(
    settings: Settings, words: tuple[str, ...], namespace: str | None, form: str, ignore_policy_tests: bool,
    datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Change resources in an editor: the one that VISUAL or EDITOR names, else vi.

    What is wrong with the text is shown as comments when the editor opens again; saving it unchanged then gives up. If somebody
    else changes a resource meanwhile nothing is written. In both cases, the text is kept in a file.

    \b
    Examples:
      tortie edit gnp allow-dns
      EDITOR="code --wait" tortie edit node host1
    """
    keys = required_keys(words, namespace)
    with open_store(settings.over(datastore, lab).connection()) as store:
        outcomes = _edited(store, keys, unchecked if ignore_policy_tests else guarded)
    if outcomes is None:
        click.echo("Edit cancelled: nothing was changed.", err=True)
        return
    tell(outcomes, Report(form, changed="edited"))


def _edited(store: Store, keys: Sequence[ResourceKey], check: Guard) -> tuple[Outcome, ...] | None:
    """What became of it; None if nothing was changed. *check* refuses what must not be written."""
    original = _text(store, keys)
    stamp = new_stamp()
    with _draft() as draft:
        shown, problems = original, ""
        while True:
            draft.write_text(_INTRODUCTION + problems + shown, encoding="utf-8")
            _open_editor(draft)
            text = _without_comments_at_top(_saved(draft))
            if not text.strip() or text == original:
                draft.unlink()
                return None
            if problems and text == shown:
                raise CommandError(f"the text is still wrong and was not changed again; it is kept in {draft}")
            shown, found = text, _read(text, keys)
            if isinstance(found, _Wrong):
                problems = found.as_comments()
                continue
            try:
                with in_one_sentence():
                    plan = functools.partial(_planned, store, found, stamp, check)
                    outcomes = perform(store, plan, time.monotonic_ns)
            except CommandError as error:
                if not _is_still(original, store, keys):
                    raise CommandError(f"{error.message}. The text is kept in {draft}") from error
                problems = _Wrong(tuple((None, line) for line in error.message.splitlines())).as_comments()
                continue
            draft.unlink()
            return outcomes


def _planned(store: Store, resources: Sequence[ReadResource], stamp: Stamp, check: Guard) -> Sequence[Change]:
    return check(Stored(store), plan_apply(store, resources, stamp))


class _Wrong(NamedTuple):
    """Why a text cannot be stored: each problem with its line, where it has one."""

    problems: tuple[tuple[int | None, str], ...]

    def as_comments(self) -> str:
        """For the top of the text, whose lines they move down."""
        above = _INTRODUCTION.count("\n") + len(self.problems)
        places = [f"line {line + above}: " if line else "" for line, _ in self.problems]
        messages = [" ".join(message.split()) for _, message in self.problems]
        return "".join(f"# {place}{message}\n" for place, message in zip(places, messages, strict=True))


def _text(store: Store, keys: Sequence[ResourceKey]) -> str:
    """The documents of *keys*; fields that only a newer version knows are left out, named in a comment, and stay."""
    parts = []
    for key in keys:
        document = current_document(key, find(store, key.path))
        unknown = sorted(map(path_text, undeclared_paths(key.kind.struct, document)))
        note = f"# A newer version's fields, which stay as they are: {', '.join(unknown)}\n" if unknown else ""
        parts.append(note + yaml_text(without_undeclared(key.kind.struct, document)))
    return "---\n".join(parts)


def _is_still(original: str, store: Store, keys: Sequence[ResourceKey]) -> bool:
    try:
        return _text(store, keys) == original
    except (CommandError, StoreError):  # deleted, or not to be read now
        return False


def _read(text: str, keys: Sequence[ResourceKey]) -> tuple[ReadResource, ...] | _Wrong:
    """The resources of *text*, which are those of *keys*; or what is wrong with it."""
    result = read(text)
    problems: list[tuple[int | None, str]] = [
        (error.position.line, f"{path_text(error.path)}: {error.message}" if error.path else error.message)
        for error in result.errors
    ]
    seen: set[ResourceKey] = set()
    for item in result.resources:
        if item.key not in keys:
            message = f"{item.key} is not what is edited: kind, namespace and name must stay"
            problems.append((item.position.line, message))
        elif item.key in seen:
            problems.append((item.position.line, f"{item.key} is given twice"))
        seen.add(item.key)
    return _Wrong(tuple(problems)) if problems else result.resources


def _without_comments_at_top(text: str) -> str:
    """*text* as it was shown: without what was told at its top."""
    lines = text.splitlines(keepends=True)
    start = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    own = [line for line in lines[:start] if line.startswith("# A newer version's fields")]
    return "".join(own + lines[start:])


@contextlib.contextmanager
def _draft() -> Iterator[Path]:
    """A file for the text, for its owner only; whoever is done with it removes it."""
    handle, name = tempfile.mkstemp(prefix="tortie-edit-", suffix=".yaml")
    os.close(handle)
    yield Path(name)


def _open_editor(draft: Path, environment: Mapping[str, str] = os.environ) -> None:
    editor = environment.get("VISUAL") or environment.get("EDITOR") or "vi"
    try:
        status = subprocess.run([*_words(editor), str(draft)], check=False).returncode
    except FileNotFoundError as error:
        raise CommandError(f"there is no editor {editor!r}; set EDITOR") from error
    if status != 0:
        raise CommandError(f"the editor {editor!r} failed with status {status}; the text is kept in {draft}")


def _words(editor: str) -> list[str]:
    try:
        words = shlex.split(editor)
    except ValueError as error:
        raise CommandError(f"the editor {editor!r} is no command: {error}; set EDITOR") from error
    if not words:
        raise CommandError(f"the editor {editor!r} is no command; set EDITOR")
    return words


def _saved(draft: Path) -> str:
    try:
        return decoded(str(draft), draft.read_bytes()).replace("\r\n", "\n")
    except CommandError as error:
        raise CommandError(f"{error.message}. The text is kept there") from error
