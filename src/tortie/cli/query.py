"""``tortie policy query``: many questions at once, one cluster a line."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import NamedTuple

import click

from tortie.analysis.cluster import KnownCluster, cluster_of
from tortie.analysis.ends import Directory, lacks_address
from tortie.analysis.engines import Engine, OracleEngine, RulesetEngine
from tortie.cli.decisions import decision_document
from tortie.cli.jsonl import Answer, UnanswerableError, answer_lines, json_object
from tortie.cli.questions import each, host_packet, question
from tortie.model.topology import Node
from tortie.ruleset.options import Compilation
from tortie.verdict import Cluster, Flow

_log = logging.getLogger(__name__)


@click.command()
@click.option(
    "--jsonl", is_flag=True, required=True, help="Read lines of JSON from standard input, answer each with a line."
)
@click.option(
    "--engine", type=click.Choice(["oracle", "ruleset", "kernel"]), default="oracle", show_default=True,
    help="Who answers: the reading of the policies; packets walked through the compiled rulesets; real packets.",
)  # fmt: skip
@click.option(
    "--compilation", type=click.Choice([choice.value for choice in Compilation]), default=Compilation.AUTO.value, show_default=True,
    help="How rulesets are compiled, for --engine ruleset and kernel.",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="Tell the deciding rules too.")
def query(jsonl: bool, engine: str, compilation: str, explain: bool) -> None:  # noqa: ARG001 - there is no other form yet
    """Say who can reach whom in clusters that are only described.

    Each line of standard input is one cluster and questions about it:

    \b
      {"resources": [documents], "queries": [{"src", "dst", "protocol", "port"}]}

    The documents are those of Kubernetes and Calico; what a cluster fills in by itself is filled in. An end is namespace/pod,
    host:NODE or an IP address; protocol is a name or a number, port null where it has none ("sport", "icmp_type" and
    "icmp_code" may be given too). Each line is answered in order, {"answers": [true, false, ...], "error": null}: whether the
    first packet of a new connection is delivered. "notes" tells where that depends on an address that a pod does not have yet, and
    "warnings" what part of a document means nothing.

    \b
      {"resources": [documents], "host": NODE, "packets": [{"in", "out", "src", "dst", "protocol", "sport", "dport",
                                                            "icmp_type", "icmp_code"}]}

    asks instead whether packets get through one host, between interfaces called as workload endpoints or Nodes call them;
    "in" null: sent by the host itself, "out" null: for the host itself.

    A line that cannot be answered gets {"answers": null, "error": text}, and the next ones are answered all the same.
    No datastore and no root is needed.

    \b
    Examples:
      tortie policy query --jsonl
      tortie policy query --jsonl --explain
      tortie policy query --jsonl --engine ruleset --compilation linear
    """
    answer_lines(Answering(engine, Compilation(compilation), explain=explain).answer)


class Answering:
    """Answers lines, each by itself."""

    def __init__(self, engine: str, compilation: Compilation = Compilation.AUTO, *, explain: bool = False) -> None:
        self._engine, self._compilation, self._explain = engine, compilation, explain

    def __str__(self) -> str:
        return f"{self._engine} ({self._compilation})"

    def answer(self, line: bytes) -> Answer:
        """The answer to a line, whatever it is: one line must not take the others with it."""
        try:
            return self._answer(json_object(line))
        except (ValueError, OSError) as error:
            return {"answers": None, "error": str(error)}
        except Exception as error:  # noqa: BLE001 - a bug of ours, told and logged
            _log.exception("a line cannot be answered")
            return {"answers": None, "error": f"{type(error).__name__}: {error}"}

    def _answer(self, line: Answer) -> Answer:
        documents, node = line.get("resources"), line.get("host")
        if not isinstance(documents, list):
            raise UnanswerableError('expected {"resources": [...], "queries": [...]}: resources is missing')
        if node is not None and not (isinstance(node, str) and node):
            raise UnanswerableError(f"host: expected the name of a node, got {node!r:.60}")
        if node is None and "packets" in line and "queries" not in line:
            raise UnanswerableError('packets: expected the name of a node beside them, "host"')
        known = cluster_of(documents, node or "")
        if node is not None:
            _require_node(known, node)
        cluster = Cluster.of(known.values())
        with self._open_engine(known, cluster) as engine:
            asked = _Asked(known, cluster, engine, self._explain)
            answered = asked.host(node, line) if node else asked.end_to_end(line)
        return {**answered, "error": None, **({"warnings": list(known.left_out)} if known.left_out else {})}

    @contextlib.contextmanager
    def _open_engine(self, known: KnownCluster, cluster: Cluster) -> Iterator[Engine]:
        match self._engine:
            case "oracle":
                yield OracleEngine(cluster)
            case "ruleset":
                yield RulesetEngine(known, cluster, self._compilation)
            case _:
                from tortie.lab.packetengine import KernelEngine  # noqa: PLC0415 - only who sends packets needs a network

                with KernelEngine(known, cluster, self._compilation) as engine:
                    yield engine


def _require_node(known: KnownCluster, node: str) -> None:
    """UnanswerableError for a name that nothing has, though there are Nodes. Where there are none, any may be a host's."""
    if node in known.nodes or not any(isinstance(resource, Node) for resource in known.values()):
        return
    raise UnanswerableError(f"host: there is no node {node!r}; known: {', '.join(sorted(known.nodes))}")


class _Asked(NamedTuple):
    """A line's cluster, and who answers about it."""

    known: KnownCluster
    cluster: Cluster
    engine: Engine
    explain: bool

    def end_to_end(self, line: Answer) -> Answer:
        """The answers to ``queries``."""
        directory = Directory(self.known)
        flows = each(line, "queries", lambda query: directory.flow(question(query)))
        answered: Answer = {"answers": self.engine.allow(flows)}
        notes = [self._note(flow) for flow in flows]
        if any(notes):
            answered["notes"] = notes
        if self.explain:
            answered["decisions"] = [list(map(decision_document, self.cluster.judge(f).decisions)) for f in flows]
        return answered

    def host(self, node: str, line: Answer) -> Answer:
        """The answers to ``packets``."""
        packets = each(line, "packets", host_packet)
        answered: Answer = {"answers": self.engine.pass_host(node, packets)}
        if self.explain:
            view = self.cluster.host_view(node)
            answered["decisions"] = [list(map(decision_document, view.judge(p).decisions)) for p in packets]
        return answered

    def _note(self, flow: Flow) -> str | None:
        """Whether the answer depends on an address that somebody does not have."""
        nowhere = [str(end) for end in (flow.source, flow.destination) if lacks_address(end)]
        if not nowhere or not self.cluster.judge(flow).depends_on_address:
            return None
        return f"depends on the address of {' and '.join(nowhere)}"
