"""``tortie validate``: people's files are read and judged as ``apply`` would, and nothing else is done.

No datastore is opened unless one is named; its resources then tell which labels nothing has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import click

from tortie.analysis.existing import SELECTED_KINDS, Existing, existing
from tortie.cli import reports
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError
from tortie.cli.jsonl import Answer, answer_lines, json_object
from tortie.cli.manifests import readings
from tortie.cli.options import files_options, version_option
from tortie.cli.reports import Found, Level, Report, counted
from tortie.cli.settings import Settings, datastore_options
from tortie.cli.unmatched import stored_resources, unknown_labels
from tortie.conversion import ConversionError, convert
from tortie.model.codec import encode_document
from tortie.model.document import Problem, ReadResult, read
from tortie.model.fieldpath import path_text
from tortie.model.kinds import ResourceKey


@click.command()
@click.argument("more_files", nargs=-1, metavar="[FILE]...")
@files_options()
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option(
    "-o", "--output", "form", type=click.Choice(list(reports.FORMS)), default="text", show_default=True,
    help="Lines to read, JSON, annotations for a GitHub workflow, or SARIF 2.1.0.",
)  # fmt: skip
@click.option(
    "--jsonl",
    is_flag=True,
    help="Judge documents from standard input, one a line in JSON, and answer each with a line.",
)
@version_option
@datastore_options
@click.pass_obj
def validate(
    settings: Settings, more_files: tuple[str, ...], files: tuple[str, ...], recursive: bool, strict: bool, form: str,
    jsonl: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Check files without a datastore: every field, every rule that needs no other object.

    Every mistake of every file is told, with its file, line, column and field, what was written and what was expected. Warnings
    tell what is accepted and looks unintended: selectors that never match, rules that never decide, text that is not
    stored as it was written; and if --datastore or --lab is given, selectors with a label that nothing has there, nor in the
    files. Nothing is written. The exit status is 1 if there is an error; with --strict, also if there is a warning.

    With --jsonl, each line of standard input is a document, and each line of the output its judgement, in order and
    as soon as it is known: {"valid", "errors": [{"field", "message"}], "warnings": […]}; or {"error"} for a line that is no
    JSON object.

    \b
    Examples:
      tortie validate -f policy.yaml
      tortie validate -f manifests/ -R --strict
      tortie validate -f manifests/ -o sarif
      tortie validate -f manifests/ --lab demo
      tortie validate --jsonl
    """
    names = (*files, *more_files)
    named = settings.over(datastore, lab)
    if jsonl:
        if names:
            raise click.UsageError("--jsonl reads standard input and no files")
        exist = _existing(named, ()) if named.is_named else None
        answer_lines(lambda line: _judgement(line, exist))
        return
    if not names:
        raise click.UsageError("what is to be checked? Give -f FILE, or --jsonl")
    # Read before a lab is joined: inside it, /run and the like are the lab's.
    results = list(readings(names, recursive=recursive))
    if not results:
        raise CommandError("there are no .yaml, .yml or .json files in what -f names")
    exist = _existing(named, results) if named.is_named else None
    report = _report(results, exist)
    reports.FORMS[form](report)
    if report.count(Level.ERROR) or (strict and report.found):
        click.get_current_context().exit(1)


def _existing(named: Settings, results: Iterable[ReadResult]) -> Existing:
    """What there would be if the files were applied."""
    with open_store(named.connection()) as store:
        resources = dict(stored_resources(store, SELECTED_KINDS))
    resources |= {item.key: item.resource for result in results for item in result.resources}
    return existing(resources.values())


def _report(results: Collection[ReadResult], exist: Existing | None) -> Report:
    found: list[Found] = []
    first: dict[ResourceKey, Problem] = {}
    for result in results:
        found += reports.in_order([*_found(result, exist), *_repeats(result, first)])
    resources = sum(len(result.resources) for result in results)
    scope = f"{counted(resources, 'valid resource')} in {counted(len(results), 'file')}"
    return Report(tuple(found), scope, resources)


def _found(result: ReadResult, exist: Existing | None) -> Iterator[tuple[Level, Problem]]:
    yield from ((Level.ERROR, problem) for problem in result.errors)
    yield from ((Level.WARNING, problem) for problem in result.warnings)
    for item in result.resources:
        try:
            convert(item.resource)
        except ConversionError as error:  # what `apply` would refuse
            yield Level.ERROR, item.problem((), str(error))
        if exist is not None:
            yield from ((Level.WARNING, problem) for problem in unknown_labels(item, exist))


def _repeats(result: ReadResult, first: dict[ResourceKey, Problem]) -> Iterator[tuple[Level, Problem]]:
    """Resources that stood somewhere before: fine in files that are never applied together."""
    for item in result.resources:
        here = item.problem((), "")
        before = first.setdefault(item.key, here)
        if before is not here:
            place = f"{before.source}:{before.position.line}"
            message = f"{item.key} is given twice; the first is at {place}, and they cannot be applied together"
            yield Level.WARNING, here._replace(message=message)


# --- JSON lines ------------------------------------------------------------------------------------------------------------


_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON allows as it is, and YAML only escaped."""


def _judgement(line: bytes, exist: Existing | None) -> Answer:
    document = json_object(line)
    # Read as written, so that a key given twice is seen; but YAML has no surrogate pairs, which JSON escapes may be.
    text = (encode_document(document) if b"\\u" in line else line).decode()
    text = _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    found = list(_found(read(text), exist))
    of_level = {level: [_as_json(problem) for other, problem in found if other is level] for level in Level}
    return {
        "valid": not of_level[Level.ERROR],
        "errors": of_level[Level.ERROR],
        "warnings": of_level[Level.WARNING],
    }


def _as_json(problem: Problem) -> dict[str, str]:
    return {"field": path_text(problem.path), "message": problem.message}
