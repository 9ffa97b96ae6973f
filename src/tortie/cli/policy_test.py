"""``tortie policy test``: whether what is asserted of policies holds, and how much of them that tries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from tortie.analysis.assertions import Judge, Located
from tortie.analysis.assertions.coverage import coverage
from tortie.analysis.assertions.outcome import of_document, of_resource, of_tests
from tortie.analysis.assertions.written import written_coverage
from tortie.analysis.cluster import KnownCluster
from tortie.analysis.provenance import Provenance
from tortie.analysis.templates import of_a_cluster
from tortie.cli import output
from tortie.cli import policy_test_reports as reports
from tortie.cli.clusters import cluster_of_resources, files_or_store, tell_left_out
from tortie.cli.errors import CommandError, failures_are_no_answer
from tortie.cli.manifests import checked, readings
from tortie.cli.options import files_options
from tortie.cli.policy_test_reports import Results
from tortie.cli.settings import Settings, datastore_options
from tortie.model.document import ReadResult
from tortie.model.policytest import PolicyTest

_FAILED = 1
_UNTOLD = 2


@click.command()
@files_options()
@click.option(
    "-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Lines to read, or JSON.",
)  # fmt: skip
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write the results as JUnit XML too.")
@click.option(
    "--coverage", "with_coverage", is_flag=True, help="Tell how many of the rules the tests try, and which not."
)
@click.option(
    "--fail-under", metavar="PERCENT", type=click.FloatRange(0, 100), help="Fail if less of the rules is tried.",
)  # fmt: skip
@datastore_options
@click.pass_context
def test(
    ctx: click.Context, files: tuple[str, ...], recursive: bool, form: str, junit: Path | None, with_coverage: bool,
    fail_under: float | None, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Check what tests say of who must be able to reach whom, and who must not.

    Tests are of the kind PolicyTest, or stand under `tests:` beside a policy or in a document of their own. With -f both they and the
    policies are those of the files; else of the datastore. No packet is sent: asked are all packets of a test between all of its
    ends, as the policies mean it. Of what does not hold a few examples are told, each with what decides it.

    --coverage tells which rules no test tries, which can never match because earlier ones decide, and which match nothing here.

    The exit status is 0 if all holds, 1 if something does not or less is tried than --fail-under says, and 2 if that cannot be told.

    \b
    Examples:
      tortie policy test -f manifests/
      tortie policy test -f manifests/ --junit results.xml
      tortie policy test -f manifests/ --coverage --fail-under 80
      tortie policy test --lab demo
    """
    settings: Settings = ctx.obj
    with failures_are_no_answer():
        asked = _asked(files, recursive=recursive, settings=settings.over(datastore, lab))
    with_coverage = with_coverage or fail_under is not None
    judge = Judge(asked.cluster, asked.tests, all_hosts=with_coverage)
    covered = coverage(judge, asked.tests) if with_coverage else None
    results = Results(
        outcomes=tuple(map(judge.outcome, asked.tests)),
        provenance=asked.provenance,
        cluster=judge.cluster,
        coverage=None if covered is None else written_coverage(covered, asked.provenance),
    )
    if junit is not None:
        with failures_are_no_answer():
            junit.write_bytes(reports.junit(results))
    if form == "json":
        output.print_json(reports.document(results))
    else:
        reports.print_text(results)
    ctx.exit(_status(results, fail_under))


def _status(results: Results, fail_under: float | None) -> int:
    if any(outcome.failing for outcome in results.outcomes):
        return _FAILED
    if any(outcome.error for outcome in results.outcomes):
        return _UNTOLD
    if fail_under is not None and results.coverage is not None and results.coverage.percent < fail_under:
        click.echo(
            f"Error: {results.coverage.percent:.1f} % of the rules are tried; expected {fail_under:g} %", err=True
        )
        return _FAILED
    return 0


class _Asked(NamedTuple):
    """A cluster, its tests, and where all of it was written."""

    cluster: KnownCluster
    tests: tuple[Located, ...]
    provenance: Provenance


def _asked(files: Sequence[str], *, recursive: bool, settings: Settings) -> _Asked:
    found = _of_files(files, recursive=recursive) if files else _of_store(settings)
    if not found.tests:
        raise CommandError(
            f"there are no tests in {'what -f names' if files else 'the datastore'}; see `tortie fields policytest`"
        )
    return found


def _of_files(files: Sequence[str], *, recursive: bool) -> _Asked:
    results = list(readings(files, recursive=recursive, prepare=of_a_cluster))
    resources = checked(results)
    cluster = cluster_of_resources({item.key: item.resource for item in resources})
    tell_left_out(cluster, resources)
    tests = tuple(located for result in results for located in _tests(result))
    return _Asked(cluster, tests, Provenance.of_documents(resources))


def _tests(result: ReadResult) -> Iterator[Located]:
    for item in result.resources:
        yield from of_document(item)
    for beside in result.tests:
        yield from of_tests(beside)


def _of_store(settings: Settings) -> _Asked:
    found = files_or_store((), recursive=False, settings=settings)
    stored = sorted(found.stored.items())
    tests = [located for key, item in stored if isinstance(item, PolicyTest) for located in of_resource(item, key)]
    return _Asked(found.cluster, tuple(tests), Provenance.of_stored(found.stored))
