"""An edit as a patch: of people's files as ``git apply`` takes it, of a datastore's objects as ``tortie apply`` does."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence

from tortie.analysis.edits.edit import Edit
from tortie.analysis.edits.files import Files, UnwritableEditError
from tortie.analysis.templates import of_a_cluster
from tortie.cli.errors import CommandError
from tortie.model.document import ReadResource
from tortie.model.yamltext import yaml_text

_NO_NEWLINE = "\\ No newline at end of file\n"


def patch_of_files(edit: Edit, texts: Mapping[str, str], read: Sequence[ReadResource]) -> str:
    """A unified diff of the files that change. CommandError for what cannot be written so."""
    if "<stdin>" in texts:
        raise CommandError("standard input cannot be patched; name files with -f")
    try:
        changed = Files(texts, of_a_cluster).after(edit, read)
    except UnwritableEditError as error:
        raise CommandError(str(error)) from error
    return "".join(line for source, after in changed.items() for line in _diff(source, texts[source], after))


def patch_of_store(edit: Edit) -> str:
    """The objects as they would be, for ``tortie apply -f -``."""
    return "---\n".join(yaml_text(change.document) for change in edit.changes)


def _diff(source: str, before: str, after: str) -> Iterator[str]:
    path = os.path.relpath(source)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}"
