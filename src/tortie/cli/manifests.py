"""People's files on the way in: everything is read, and every mistake reported, before anything is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from tortie.cli.errors import CommandError
from tortie.model.document import Prepare, ReadResource, ReadResult, read
from tortie.model.kinds import ResourceKey

_SUFFIXES = (".yaml", ".yml", ".json")


def read_manifests(
    paths: Iterable[str], *, namespace: str, recursive: bool, prepare: Prepare = lambda node: node
) -> tuple[ReadResource, ...]:
    """The resources of all *paths* (files, directories, ``-`` for standard input), in their order, of what *prepare* makes of documents.

    Warnings go to standard error. CommandError, after all errors were printed, if there is one; or if there is nothing to read,
    or one resource stands there twice.
    """
    results = [
        read(text, source=source, default_namespace=namespace, prepare=prepare)
        for source, text in texts(paths, recursive=recursive)
    ]
    _report(results)
    resources = tuple(resource for result in results for resource in result.resources)
    if not resources:
        raise CommandError("no resources were found in what -f names")
    _refuse_repeats(resources)
    return resources


def texts(paths: Iterable[str], *, recursive: bool) -> Iterator[tuple[str, str]]:
    """The name and the content of every file that *paths* mean; CommandError for one that is not text."""
    for name in paths:
        if name == "-":
            yield "<stdin>", _decoded("<stdin>", sys.stdin.buffer.read())
            continue
        for path in _files(Path(name), recursive):
            yield str(path), _decoded(str(path), path.read_bytes())


def _files(path: Path, recursive: bool) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    found = path.rglob("*") if recursive else path.iterdir()
    return sorted(file for file in found if file.suffix in _SUFFIXES and file.is_file())


def _decoded(source: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{source}:{line}: not UTF-8 text: byte 0x{content[error.start]:02x}") from error


def _report(results: list[ReadResult]) -> None:
    for warning in (warning for result in results for warning in result.warnings):
        click.echo(f"Warning: {warning}", err=True)
    errors = [error for result in results for error in result.errors]
    if errors:
        for error in errors[:-1]:
            click.echo(f"Error: {error}", err=True)
        raise CommandError(str(errors[-1]))


def _refuse_repeats(resources: tuple[ReadResource, ...]) -> None:
    seen: set[ResourceKey] = set()
    for resource in resources:
        if resource.key in seen:
            raise CommandError(
                f"{resource.key} is given twice; the second time in line {resource.position.line} of its file"
            )
        seen.add(resource.key)
