"""What becomes of people's files with an edit: their texts, of which everything stays that the edit does not name.

What comes out is read again. Unless it holds what the edit means, and everything else as before, there is no such text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tortie.analysis.edits.edit import Change, Edit
from tortie.analysis.edits.textual import edited
from tortie.model.document import Prepare, ReadResource, ReadResult, read
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.model.yamltext import yaml_lines


class UnwritableEditError(ValueError):
    """An edit that cannot be done to the text of a file: which object, and in which file it is to be changed by hand."""


class Files:
    """Files by name with their texts, and what their documents are read as."""

    def __init__(self, texts: Mapping[str, str], prepare: Prepare) -> None:
        self._texts = texts
        self._prepare = prepare

    def after(self, edit: Edit, read_from: Iterable[ReadResource]) -> dict[str, str]:
        """The texts that change, by the file's name. UnwritableEditError.

        *read_from* are the documents of the cluster: what is new is put into the file that has others of its namespace.
        """
        changed: dict[str, str] = {}
        homes = tuple(read_from)
        for change in edit.changes:
            source = _home(change, homes)
            before = changed.get(source, self._texts[source])
            changed[source] = self._with(change, source, before)
        return changed

    def _with(self, change: Change, source: str, text: str) -> str:
        after = _appended(text, change) if change.written is None else self._operated(change, source, text)
        if after is None or not self._means(change, source, text, after):
            raise UnwritableEditError(f"{source}: its text has no place for the edit of {change.key}; do it by hand")
        return after

    def _operated(self, change: Change, source: str, text: str) -> str | None:
        for operation in change.operations:
            item = next((item for item in self._read(text, source).resources if item.key == change.key), None)
            after = None if item is None else edited(text, item.node, operation)
            if after is None:
                return None
            text = after
        return text

    def _means(self, change: Change, source: str, before: str, after: str) -> bool:
        old, new = self._read(before, source), self._read(after, source)
        expected: dict[ResourceKey, Resource] = {item.key: item.resource for item in old.resources}
        return not new.errors and {item.key: item.resource for item in new.resources} == {
            **expected,
            change.key: change.resource,
        }

    def _read(self, text: str, source: str) -> ReadResult:
        return read(text, source=source, prepare=self._prepare)


def _home(change: Change, read_from: Iterable[ReadResource]) -> str:
    """The file that has the object; for a new one the one that has others of its kind, or of its namespace."""
    if change.written is not None and change.written.read is not None:
        return change.written.read.source
    kind, namespace = change.key.kind, change.key.namespace

    def likeness(item: ReadResource) -> tuple[bool, bool]:
        return item.key.namespace == namespace, item.key.kind.name == kind.name

    return max(read_from, key=likeness).source


def _appended(text: str, change: Change) -> str | None:
    if text.lstrip().startswith(("{", "[")):
        return None  # JSON has no second document
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{text}{end}---\n" + "\n".join(yaml_lines(change.document)) + "\n"
