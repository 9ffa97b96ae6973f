"""``tortie lint``: the policies whose selectors match nothing that exists, in files and in a datastore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from tortie.analysis.existing import SELECTED_KINDS, Existing, existing
from tortie.analysis.selecting import SELECTING_KINDS
from tortie.analysis.unmatched import unmatched, written
from tortie.cli import reports
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError
from tortie.cli.manifests import readings
from tortie.cli.options import files_options, namespace_option
from tortie.cli.reports import Found, Level, Report, StoredProblem, counted
from tortie.cli.settings import Settings, datastore_options
from tortie.cli.unmatched import stored_resources
from tortie.model.document import Problem, ReadResult
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource


@click.command()
@files_options(
    help_text="Look at the policies of a file, a directory of .yaml, .yml and .json files, or - for standard input. May be repeated."
)
@namespace_option("For namespaced resources of files that do not name theirs.")
@click.option(
    "--live", is_flag=True, help="Ask the datastore what exists; --datastore and --lab imply it, see `tortie --help`."
)
@click.option(
    "-o", "--output", "form", type=click.Choice(list(reports.FORMS)), default="text", show_default=True,
    help="Lines to read, JSON, annotations for a GitHub workflow, or SARIF 2.1.0.",
)  # fmt: skip
@datastore_options
@click.pass_obj
def lint(
    settings: Settings, files: tuple[str, ...], recursive: bool, namespace: str | None, live: bool, form: str,
    datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Find policies whose selectors match nothing that exists, and say which label was probably meant.

    With --live, the policies and all that they can select are those of the datastore. With -f, the policies are those of the
    files, and what exists is what else is in the files; with both, also what is in the datastore.

    Looked at are the selectors of policies and of their rules: over endpoints (and pods that wait for one), network sets in
    rules, namespaces and service accounts. What a policy waits for may still come, so nothing of this is refused. The exit
    status is 1 if something is found, or a file has an error.

    \b
    Examples:
      tortie lint --live
      tortie lint -f manifests/ -R
      tortie lint -f policy.yaml --lab demo -o json
    """
    named = settings.over(datastore, lab)
    if not (files or live or named.is_named):
        raise click.UsageError("what is to be looked at? Give -f FILE, or --live for the datastore")
    # Read before a lab is joined: inside it, /run and the like are the lab's.
    results = list(readings(files, recursive=recursive, namespace=namespace))
    if files and not results:
        raise CommandError("there are no .yaml, .yml or .json files in what -f names")
    stored = _stored(named, policies_too=not files) if live or named.is_named else {}
    report = _of_files(results, stored) if files else _of_store(stored)
    reports.FORMS[form](report)
    if report.found:
        click.get_current_context().exit(1)


def _stored(named: Settings, *, policies_too: bool) -> Mapping[ResourceKey, Resource]:
    with open_store(named.connection()) as store:
        return stored_resources(store, (*SELECTED_KINDS, *(SELECTING_KINDS if policies_too else ())))


def _of_store(stored: Mapping[ResourceKey, Resource]) -> Report:
    exist = existing(stored.values())
    policies = {key: item for key, item in sorted(written(stored).items()) if key.kind in SELECTING_KINDS}
    found = tuple(
        Found(Level.WARNING, StoredProblem(key, problem.path, problem.message))
        for key, resource in policies.items()
        for problem in unmatched(resource, exist)
    )
    return Report(found, f"{counted(len(policies), 'resource')} with selectors looked at", len(policies))


def _of_files(results: Sequence[ReadResult], stored: Mapping[ResourceKey, Resource]) -> Report:
    in_files = {item.key: item.resource for result in results for item in result.resources}
    exist = existing({**stored, **in_files}.values())
    found = [item for result in results for item in reports.in_order(list(_of_file(result, exist)))]
    looked_at = sum(key.kind in SELECTING_KINDS for key in in_files)
    scope = f"{counted(looked_at, 'resource')} with selectors looked at in {counted(len(results), 'file')}"
    return Report(tuple(found), scope, looked_at)


def _of_file(result: ReadResult, exist: Existing) -> Iterator[tuple[Level, Problem]]:
    yield from ((Level.ERROR, problem) for problem in result.errors)
    for item in result.resources:
        for problem in unmatched(item.resource, exist):
            yield Level.WARNING, item.problem(problem.path, problem.message)
