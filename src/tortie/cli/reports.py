"""What `tortie validate` found, in the form of its reader: people, programs, GitHub's annotations, SARIF viewers."""

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
from tortie.model.fieldpath import path_text


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The resource is refused."""
    WARNING = "warning"
    """The resource is accepted; something looks unintended."""


class Found(NamedTuple):
    """One thing found in a file."""

    level: Level
    problem: Problem


class Report(NamedTuple):
    """Everything found in all files, file by file, from top to bottom."""

    found: tuple[Found, ...]
    files: int
    resources: int
    """How many have no error."""

    def count(self, level: Level) -> int:
        """How many of *level* were found."""
        return sum(item.level is level for item in self.found)


# --- text ------------------------------------------------------------------------------------------------------------------


def _print_text(report: Report) -> None:
    for level, problem in report.found:
        click.echo(f"{level.capitalize()}: {problem}")
    counts = [_counted(report.count(level), level) for level in Level if report.count(level)]
    where = f"{_counted(report.resources, 'valid resource')} in {_counted(report.files, 'file')}"
    click.echo(", ".join([where, *counts]))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- JSON ------------------------------------------------------------------------------------------------------------------


def _print_json(report: Report) -> None:
    document: dict[str, object] = {"valid": report.count(Level.ERROR) == 0, "resources": report.resources}
    for level in Level:
        document[f"{level}s"] = [_as_json(problem) for of_level, problem in report.found if of_level is level]
    output.print_json(document)


def _as_json(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.source, "line": problem.position.line, "column": problem.position.column,
        "field": path_text(problem.path), "text": problem.text, "message": problem.message,
    }  # fmt: skip


# --- GitHub ----------------------------------------------------------------------------------------------------------------


def _print_github(report: Report) -> None:
    """Workflow commands, which GitHub shows as annotations beside the lines."""
    for level, problem in report.found:
        place = {"file": problem.source, "line": str(problem.position.line), "col": str(problem.position.column)}
        properties = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in place.items())
        click.echo(f"::{level} {properties}::{_escaped(_sentence(problem))}")


def _sentence(problem: Problem) -> str:
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


def _sarif_result(level: Level, problem: Problem) -> dict[str, object]:
    region = {"startLine": problem.position.line, "startColumn": problem.position.column}
    place: dict[str, object] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(problem.source)}, "region": region}
    }
    if problem.path:
        place["logicalLocations"] = [{"fullyQualifiedName": path_text(problem.path)}]
    return {
        "ruleId": _RULES[level][0],
        "level": level,
        "message": {"text": _sentence(problem)},
        "locations": [place],
    }


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


def in_order(problems: Sequence[Found]) -> list[Found]:
    """The findings of one file from its top to its end, errors first where they share a place."""
    return sorted(problems, key=lambda found: (found.problem.position, found.level))
