"""``tortie explain``: one connection, whether it is allowed, and everything that bears on that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import click

from tortie.analysis.edits.edit import Edit
from tortie.analysis.edits.state import State
from tortie.analysis.ends import Directory, NamedFlow, Question
from tortie.analysis.provenance import Provenance
from tortie.cli import output
from tortie.cli.asked_files import Asked, asked_files
from tortie.cli.clusters import files_or_store
from tortie.cli.errors import CommandError, failures_are_no_answer
from tortie.cli.explain_answer import Answer
from tortie.cli.explain_patch import patch_of_files, patch_of_store
from tortie.cli.options import files_options
from tortie.cli.settings import Settings, datastore_options
from tortie.net import FAMILY_OF_ICMP, Protocol

_DENIED = 1


@click.command()
@click.option(
    "--from",
    "source",
    metavar="END",
    required=True,
    help="Who connects: NAMESPACE/POD, another workload or a service of that name, service:NAMESPACE/NAME, a NAME that only one of "
    "the cluster has, host:NODE or an IP address.",
)
@click.option("--to", "destination", metavar="END", required=True, help="Who is connected to, named in the same way.")
@click.option(
    "--port", metavar="PROTOCOL[/PORT]", required=True,
    help="At what: tcp/443, udp/53, sctp/9999; icmp, icmp/8 with a type or icmp/8/0 with a code too; or a protocol's number.",
)  # fmt: skip
@files_options()
@click.option(
    "-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Lines to read, or JSON.",
)  # fmt: skip
@click.option(
    "--patch", is_flag=True,
    help="Print only the edit that would make it another answer: with -f a diff that git apply takes, else what tortie apply takes.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show every tier, policy and rule that was considered.")
@datastore_options
@click.pass_context
def explain(
    ctx: click.Context, source: str, destination: str, port: str, files: tuple[str, ...], recursive: bool, form: str,
    patch: bool, verbose: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Say whether a connection is allowed, what decides that on both sides, what nearly matched, and what would change the answer.

    Asked is the first packet of a new connection on its whole way: out of the source's host, into the destination's. A rule nearly
    matches if only one of its criteria does not hold. What is told to change is the smallest edit of policies, which changes the least
    besides; with it, the answer is another. Of an end that is a service every workload behind it is asked about, at its own port.

    With -f, the cluster is what the files say, and what a cluster fills in by itself is filled in; else it is the datastore.
    The policies are read, no packet is sent: what a host enforces at this moment is not asked.

    The exit status is 0 if the connection is allowed, 1 if it is denied, and 2 if that cannot be told.

    \b
    Examples:
      tortie explain --from shop/web --to shop/db --port tcp/5432
      tortie explain --from 203.0.113.7 --to host:host1 --port tcp/22 -v
      tortie explain --from shop/web --to service:shop/db --port tcp/5432 -f manifests/
      tortie explain --from web --to db --port tcp/5432 -f manifests/ --patch
    """
    settings: Settings = ctx.obj
    question = _question(source, destination, port)
    try:
        with failures_are_no_answer():
            asked = _asked(question, files, recursive=recursive, settings=settings.over(datastore, lab))
            answer = Answer.of(asked.state, asked.flows)
            printed = asked.patch(answer.edit) if patch else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if printed is not None:
        click.echo(printed, nl=False)
    elif form == "json":
        output.print_json(answer.document())
    else:
        click.echo("\n".join(answer.lines(verbose=verbose)))
    if not answer.allowed:
        ctx.exit(_DENIED)


class _Asked(NamedTuple):
    """What the question means, and the cluster as far as it bears on that."""

    state: State
    flows: tuple[NamedFlow, ...]
    files: Asked | None
    """None: the cluster is a datastore's."""

    def patch(self, edit: Edit | None) -> str:
        """The edit as a text. CommandError if there is none."""
        if edit is None:
            raise CommandError("no change of a policy would make it another answer")
        return patch_of_store(edit) if self.files is None else patch_of_files(edit, self.files.texts, self.files.read)


def _asked(question: Question, files: Sequence[str], *, recursive: bool, settings: Settings) -> _Asked:
    if files:
        found = asked_files(files, question, recursive=recursive)
        return _Asked(State.of(found.cluster, Provenance.of_documents(found.read)), found.flows, found)
    stored = files_or_store((), recursive=recursive, settings=settings)
    flows = Directory(stored.cluster).flows(question)
    return _Asked(State.of(stored.cluster, Provenance.of_stored(stored.stored)), flows, None)


def _number(text: str) -> int:
    """What digits say; ``int`` alone would take more than digits, and only some thousands of them."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len("65535")):
        raise ValueError(f"{text!r:.60} is not a number 0-65535")
    return int(text)


def _question(source: str, destination: str, port: str) -> Question:
    name, *numbers = port.split("/")
    try:
        protocol, given = Protocol.parse(name), [_number(number) for number in numbers]
        most = 1 if protocol.has_ports else 2 if protocol in FAMILY_OF_ICMP else 0
        if len(given) > most:
            raise ValueError("too many parts" if most else f"{protocol} has no ports")
    except ValueError as error:
        raise click.UsageError(f"--port {port}: expected such as tcp/443, udp/53 or icmp/8: {error}") from error
    first, second = (*given, None, None)[:2]
    headers = {"destination_port": first} if protocol.has_ports else {"icmp_type": first, "icmp_code": second}
    try:
        return Question(source=source, destination=destination, protocol=protocol, **headers)
    except ValueError as error:
        raise click.UsageError(f"--port {port}: {error}") from error
