"""What `tortie validate` and `tortie lint` found, in the form of its reader: people, programs, GitHub's annotations, SARIF viewers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import click

import tortie
from tortie.cli import output
from tortie.model.document import Problem
from tortie.model.fieldpath import FieldPath, path_text
from tortie.model.kinds import ResourceKey


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The resource is refused."""
    WARNING = "warning"
    """The resource is accepted; something looks unintended."""


class StoredProblem(NamedTuple):
    """Something to tell about a resource of the datastore; ``str()`` is the whole sentence."""

    key: ResourceKey
    path: FieldPath
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {_sentence(self)}"


class Found(NamedTuple):
    """One thing found in a file or in the datastore."""

    level: Level
    problem: Problem | StoredProblem


class Report(NamedTuple):
    """Everything found, file by file, from top to bottom."""

    found: tuple[Found, ...]
    scope: str
    """What was looked at, such as ``3 resources in 1 file``."""
    resources: int
    """How many have no error."""

    def count(self, level: Level) -> int:
        """How many of *level* were found."""
        return sum(item.level is level for item in self.found)


# --- text ------------------------------------------------------------------------------------------------------------------


def _print_text(report: Report) -> None:
    for level, problem in report.found:
        click.echo(f"{level.capitalize()}: {problem}")
    counts = [counted(report.count(level), level) for level in Level if report.count(level)]
    click.echo(", ".join([report.scope, *counts]))


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- JSON ------------------------------------------------------------------------------------------------------------------


def _print_json(report: Report) -> None:
    document: dict[str, object] = {"valid": report.count(Level.ERROR) == 0, "resources": report.resources}
    for level in Level:
        document[f"{level}s"] = [_as_json(problem) for of_level, problem in report.found if of_level is level]
    output.print_json(document)


def _as_json(problem: Problem | StoredProblem) -> dict[str, object]:
    if isinstance(problem, StoredProblem):
        return {"resource": str(problem.key), "field": path_text(problem.path), "message": problem.message}
    return {
        "file": problem.source, "line": problem.position.line, "column": problem.position.column,
        "field": path_text(problem.path), "text": problem.text, "message": problem.message,
    }  # fmt: skip


# --- GitHub ----------------------------------------------------------------------------------------------------------------


def _print_github(report: Report) -> None:
    """Workflow commands, which GitHub shows as annotations beside the lines."""
    for level, problem in report.found:
        if isinstance(problem, StoredProblem):
            click.echo(f"::{level}::{_escaped(str(problem))}")
            continue
        place = {"file": problem.source, "line": str(problem.position.line), "col": str(problem.position.column)}
        properties = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in place.items())
        click.echo(f"::{level} {properties}::{_escaped(_sentence(problem))}")


def _sentence(problem: Problem | StoredProblem) -> str:
    return f"{path_text(problem.path)}: {problem.message}" if problem.path else problem.message


def _escaped(text: str, beside: str = "") -> str:
    """As the runner unescapes it: in messages ``%`` and line ends, in properties what separates them too."""
    for character in f"%\r\n{beside}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


# --- SARIF -----------------------------------------------------------------------------------------------------------------

_RULES: Mapping[Level, tuple[str, str]] = {
    Level.ERROR: ("invalid-resource", "A resource that is refused"),
    Level.WARNING: ("unintended", "Something that is accepted and looks unintended"),
}


def _print_sarif(report: Report) -> None:
    """SARIF 2.1.0 (OASIS), one run."""
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in _RULES.values()]
    driver = {"name": "Tortie", "version": tortie.__version__, "rules": rules}
    results = [_sarif_result(*found) for found in report.found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    output.print_json({"$schema": schema, "version": "2.1.0", "runs": [run]})


def _sarif_result(level: Level, problem: Problem | StoredProblem) -> dict[str, object]:
    return {
        "ruleId": _RULES[level][0],
        "level": level,
        "message": {"text": _sentence(problem)},
        "locations": [_sarif_location(problem)],
    }


def _sarif_location(problem: Problem | StoredProblem) -> dict[str, object]:
    """A file's lines, and what is meant by them: the field, and for a stored resource, its name."""
    if isinstance(problem, StoredProblem):
        names = (str(problem.key), path_text(problem.path))
        return {"logicalLocations": [{"fullyQualifiedName": ": ".join(filter(None, names))}]}
    region = {"startLine": problem.position.line, "startColumn": problem.position.column}
    artifact = {"uri": _uri(problem.source)}
    place: dict[str, object] = {"physicalLocation": {"artifactLocation": artifact, "region": region}}
    if problem.path:
        place["logicalLocations"] = [{"fullyQualifiedName": path_text(problem.path)}]
    return place


def _uri(source: str) -> str:
    path = Path(source)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


FORMS: Mapping[str, Callable[[Report], None]] = {
    "text": _print_text,
    "json": _print_json,
    "github": _print_github,
    "sarif": _print_sarif,
}
"""By the name of ``-o``."""


def in_order(problems: Sequence[tuple[Level, Problem]]) -> list[Found]:
    """The findings of one file from its top to its end, errors first where they share a place."""
    return [Found(*item) for item in sorted(problems, key=lambda item: (item[1].position, item[0]))]
