"""People's files on the way in: everything is read, and every mistake reported, before anything is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from tortie.cli.errors import CommandError, refuse_for
from tortie.cli.naming import DEFAULT_NAMESPACE
from tortie.model.document import Prepare, Problem, ReadResource, ReadResult, read
from tortie.model.kinds import ResourceKey
from tortie.model.yamltree import Position

_SUFFIXES = (".yaml", ".yml", ".json")


def read_manifests(
    paths: Iterable[str],
    *,
    namespace: str | None,
    recursive: bool,
    prepare: Prepare = lambda node: node,
    may_be_empty: bool = False,
) -> tuple[ReadResource, ...]:
    """The resources of all *paths* (files, directories, ``-`` for standard input), in their order, of what *prepare* makes of documents.

    *namespace* is for those that do not name theirs; None: ``default``.
    Warnings go to standard error. CommandError, after all errors were printed, if there is one; or if there is nothing to read,
    unless it *may_be_empty*, or one resource stands there twice.
    """
    results = list(readings(paths, recursive=recursive, namespace=namespace, prepare=prepare))
    return checked(results, may_be_empty=may_be_empty)


def checked(results: list[ReadResult], *, may_be_empty: bool = False) -> tuple[ReadResource, ...]:
    """The resources of all *results*, warnings told. CommandError as ``read_manifests`` has it."""
    _report(results)
    resources = tuple(resource for result in results for resource in result.resources)
    if not resources and not may_be_empty:
        raise CommandError("no resources were found in what -f names")
    refuse_repeats(resources)
    return resources


def readings(
    paths: Iterable[str], *, recursive: bool, namespace: str | None = None, prepare: Prepare = lambda node: node
) -> Iterator[ReadResult]:
    """What every file that *paths* mean holds; one that is not text holds an error."""
    for source, content in contents(paths, recursive=recursive):
        yield reading(source, content, namespace=namespace, prepare=prepare)


def reading(
    source: str, content: bytes, *, namespace: str | None = None, prepare: Prepare = lambda node: node
) -> ReadResult:
    """What one file holds."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return ReadResult((), (_not_text(source, content, error.start),), ())
    return read(text, source=source, default_namespace=namespace or DEFAULT_NAMESPACE, prepare=prepare)


def text_of(path: str) -> tuple[str, str]:
    """The name and the text of one file, or of standard input; CommandError for what is not text."""
    source, content = ("<stdin>", sys.stdin.buffer.read()) if path == "-" else (path, Path(path).read_bytes())
    return source, decoded(source, content)


def decoded(source: str, content: bytes) -> str:
    """The text of a file; CommandError for what is none."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(str(_not_text(source, content, error.start))) from error


def contents(paths: Iterable[str], *, recursive: bool) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of every file that *paths* mean."""
    for name in paths:
        if name == "-":
            yield "<stdin>", sys.stdin.buffer.read()
            continue
        for path in _files(Path(name), recursive):
            yield str(path), path.read_bytes()


def _not_text(source: str, content: bytes, offset: int) -> Problem:
    """The first byte that is not UTF-8, where an editor shows it."""
    before = content[:offset].decode("utf-8-sig")
    position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Problem(source, position, (), "", f"not UTF-8 text: byte 0x{content[offset]:02x}")


def _files(path: Path, recursive: bool) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    found = path.rglob("*") if recursive else path.iterdir()
    return sorted(file for file in found if file.suffix in _SUFFIXES and file.is_file())


def _report(results: list[ReadResult]) -> None:
    for warning in (warning for result in results for warning in result.warnings):
        click.echo(f"Warning: {warning}", err=True)
    refuse_for([error for result in results for error in result.errors])


def refuse_repeats(resources: Iterable[ReadResource]) -> None:
    """CommandError if one resource stands there twice."""
    seen: set[ResourceKey] = set()
    for resource in resources:
        if resource.key in seen:
            raise CommandError(
                f"{resource.key} is given twice; the second time in line {resource.position.line} of its file"
            )
        seen.add(resource.key)
