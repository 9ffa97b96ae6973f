"""The answer to ``tortie explain``: of every flow that the question means, as lines for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tortie.analysis.edits.edit import Edit
from tortie.analysis.edits.search import smallest_edit
from tortie.analysis.edits.state import State
from tortie.analysis.ends import NamedFlow
from tortie.analysis.explanation import Explanation, edit_lines, explained, explanation_lines
from tortie.analysis.near import NearMiss
from tortie.analysis.provenance import Origin
from tortie.cli.decisions import decision_document, place_document, policy_document
from tortie.model.fieldpath import path_text
from tortie.verdict import Decision
from tortie.verdict.refs import PolicyRef


class Answer(NamedTuple):
    """Of one question: several flows where an end is a service."""

    explanations: tuple[tuple[NamedFlow, Explanation], ...]
    edit: Edit | None
    """What lets all of them through, or if they are, none."""

    @classmethod
    def of(cls, state: State, flows: tuple[NamedFlow, ...]) -> Answer:
        explanations = [explained(state, named.flow, edit=False) for named in flows]
        allow = not all(each.verdict.allowed for each in explanations)
        edit = smallest_edit(state, [named.flow for named in flows], allow=allow)
        return cls(tuple(zip(flows, explanations, strict=True)), edit)

    @property
    def allowed(self) -> bool:
        return all(each.verdict.allowed for _, each in self.explanations)

    # --- for people -----------------------------------------------------------------------------------------------------------

    def lines(self, *, verbose: bool) -> Iterator[str]:
        """What is told of one workload of a service is not told again of others that fare alike."""
        alike: dict[tuple[bool, str], list[Explanation]] = {}
        for _, explanation in self.explanations:
            alike.setdefault((explanation.verdict.allowed, explanation.verdict.reason), []).append(explanation)
        for first, *others in alike.values():
            yield from explanation_lines(first, verbose=verbose)
            if others:
                yield f"likewise: {', '.join(str(other.verdict.flow) for other in others)}"
        if any(explanation.verdict.hosts for _, explanation in self.explanations):
            yield from edit_lines(self.edit, allow=not self.allowed)

    # --- for programs ----------------------------------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """The first flow's, with the others beside it if there are any."""
        first, *others = [self._flow_document(named, explanation) for named, explanation in self.explanations]
        edit = None if self.edit is None else self.edit.document()
        return {**first, "allowed": self.allowed, "edit": edit, **({"others": others} if others else {})}

    def _flow_document(self, named: NamedFlow, explanation: Explanation) -> dict[str, Any]:
        verdict = explanation.verdict
        flow = verdict.flow
        return {
            "from": named.source.name,
            "to": named.destination.name,
            **({"service": named.destination.service} if named.destination.service else {}),
            "protocol": str(flow.protocol),
            "port": flow.destination_port,
            "flow": str(flow),
            "allowed": verdict.allowed,
            "reason": verdict.reason,
            "dependsOnAddress": verdict.depends_on_address,
            "hosts": [
                {
                    "node": host.node,
                    "allowed": host.allowed,
                    "decisions": [_decision_document(explanation, decision) for decision in host.decisions],
                }
                for host in verdict.hosts
            ],
            "nearMisses": [_near_document(explanation, near) for near in explanation.near],
        }


def _decision_document(explanation: Explanation, decision: Decision) -> dict[str, Any]:
    origins = [_origin_document(origin) for origin in explanation.origins(decision)]
    return {**decision_document(decision), "origins": origins, "considered": list(decision.lines())}


def _near_document(explanation: Explanation, near: NearMiss) -> dict[str, Any]:
    owner = policy_document(near.owner) if isinstance(near.owner, PolicyRef) else {"profile": near.owner}
    origin = explanation.origin_of(near)
    return {
        "owner": owner, "direction": str(near.direction), "rule": near.rule, "action": str(near.action),
        "reason": near.reason, "origin": None if origin is None else _origin_document(origin),
    }  # fmt: skip


def _origin_document(origin: Origin) -> dict[str, Any]:
    """Which object, which field of it, and where that stands."""
    key = origin.written.key
    namespace = {"namespace": key.namespace} if key.namespace else {}
    header = {"apiVersion": key.kind.api_version, "kind": key.kind.name, **namespace, "name": key.name}
    return {**header, "field": path_text(origin.path), **place_document(origin.place)}
