"""``tortie explain``: one connection, whether it is allowed, and everything that bears on that."""

from __future__ import annotations

from typing import Any, NamedTuple

import click

from tortie.analysis.ends import Directory, Question
from tortie.analysis.near import NearMiss, near_misses
from tortie.cli import output
from tortie.cli.clusters import files_or_store
from tortie.cli.decisions import decision_document, policy_document
from tortie.cli.errors import failures_are_no_answer
from tortie.cli.options import files_options
from tortie.cli.settings import Settings, datastore_options
from tortie.net import Protocol
from tortie.verdict import Cluster, Decision, Verdict
from tortie.verdict.refs import PolicyRef

_DENIED = 1


@click.command()
@click.option(
    "--from", "source", metavar="END", required=True, help="Who connects: NAMESPACE/POD, host:NODE or an IP address."
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
@click.option("-v", "--verbose", is_flag=True, help="Show every tier, policy and rule that was considered.")
@datastore_options
@click.pass_context
def explain(
    ctx: click.Context, source: str, destination: str, port: str, files: tuple[str, ...], recursive: bool, form: str,
    verbose: bool, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Say whether a connection is allowed, what decides that on both sides, and what nearly matched.

    Asked is the first packet of a new connection on its whole way: out of the source's host, into the destination's. A rule nearly
    matches if only one of its criteria does not hold.

    With -f, the cluster is what the files say, and what a cluster fills in by itself is filled in; else it is the datastore.
    The policies are read, no packet is sent: what a host enforces at this moment is not asked.

    The exit status is 0 if the connection is allowed, 1 if it is denied, and 2 if that cannot be told.

    \b
    Examples:
      tortie explain --from shop/web --to shop/db --port tcp/5432
      tortie explain --from 203.0.113.7 --to host:host1 --port tcp/22 -v
      tortie explain --from shop/web --to shop/db --port icmp -f manifests/
    """
    settings: Settings = ctx.obj
    question = _question(source, destination, port)
    with failures_are_no_answer():
        found = files_or_store(files, recursive=recursive, settings=settings.over(datastore, lab))
    try:
        flow = Directory(found.cluster).flow(question)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    cluster = Cluster.of(found.cluster.values())
    verdict = cluster.judge(flow)
    explanation = Explanation(question, verdict, near_misses(cluster, verdict))
    if form == "json":
        output.print_json(explanation.document())
    else:
        explanation.print_text(verbose=verbose)
    if not verdict.allowed:
        ctx.exit(_DENIED)


def _question(source: str, destination: str, port: str) -> Question:
    name, *numbers = port.split("/")
    try:
        protocol, given = Protocol.parse(name), [int(number) for number in numbers]
        if len(given) > (1 if protocol.has_ports else 2):
            raise ValueError("too many parts")
    except ValueError as error:
        raise click.UsageError(f"--port {port}: expected such as tcp/443, udp/53 or icmp/8: {error}") from error
    first, second = (*given, None, None)[:2]
    headers = {"destination_port": first} if protocol.has_ports else {"icmp_type": first, "icmp_code": second}
    try:
        return Question(source=source, destination=destination, protocol=protocol, **headers)
    except ValueError as error:
        raise click.UsageError(f"--port {port}: {error}") from error


class Explanation(NamedTuple):
    """A question, its verdict, and what nearly made another."""

    question: Question
    verdict: Verdict
    near: tuple[NearMiss, ...]

    def document(self) -> dict[str, Any]:
        """For programs."""
        flow = self.verdict.flow
        return {
            "from": self.question.source,
            "to": self.question.destination,
            "protocol": str(flow.protocol),
            "port": flow.destination_port,
            "flow": str(flow),
            "allowed": self.verdict.allowed,
            "reason": self.verdict.reason,
            "dependsOnAddress": self.verdict.depends_on_address,
            "hosts": [
                {
                    "node": host.node,
                    "allowed": host.allowed,
                    "decisions": [
                        {**decision_document(decision), "considered": list(decision.lines())}
                        for decision in host.decisions
                    ],
                }
                for host in self.verdict.hosts
            ],
            "nearMisses": [_near_document(near) for near in self.near],
        }

    def print_text(self, *, verbose: bool) -> None:
        """For people."""
        verdict = self.verdict
        click.echo(f"{'ALLOWED' if verdict.allowed else 'DENIED'}  {verdict.flow}")
        if not verdict.hosts:
            click.echo("no policy of this cluster judges it")
        for host in verdict.hosts:
            click.echo(f"host {host.node}")
            for decision in host.decisions:
                _print_decision(decision, verbose=verbose)
        if self.near:
            click.echo("nearly matched, but")
        for near in self.near:
            click.echo(f"  {near}")
        if verdict.depends_on_address:
            click.echo(
                "This depends on an address that a pod does not have yet; it counts as one that is in no network."
            )


def _print_decision(decision: Decision, *, verbose: bool) -> None:
    whose = f" of {decision.endpoint}" if decision.endpoint is not None else ""
    answer = "allowed" if decision.allowed else "denied"
    click.echo(f"  {decision.direction.lower()} {decision.stage}{whose}: {answer} by {decision.reason}")
    if (pending := decision.pending) is not None:
        would = "allowed" if pending.allowed else "denied"
        click.echo(f"    with staged policies enforced: {would} by {pending.reason}")
    for line in decision.lines() if verbose else ():
        click.echo(f"    {line}")


def _near_document(near: NearMiss) -> dict[str, Any]:
    owner = policy_document(near.owner) if isinstance(near.owner, PolicyRef) else {"profile": near.owner}
    return {
        "owner": owner, "direction": str(near.direction), "rule": near.rule, "action": str(near.action),
        "reason": near.reason,
    }  # fmt: skip
