"""Why one connection is allowed or denied: the oracle's reasoning on what is stored, for the page.

    {"source": "client/client", "destination": "stars/backend", "protocol": "TCP", "port": 6379,
     "ipv4": {"allowed": false, "reason": "ingress: the default action of tier default",
              "decisions": [{"direction": "Egress", "allowed": true, "reason": ..., "byDefault": false, "policies": [...],
                             "lines": [...]}, ...]},
     "ipv6": {...}}

``policies`` are those that were considered, ``byDefault`` that none of them had a rule that matches. A family is null where an end has no address of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from tortie.analysis.connectivity import Cell, Probe, matrix
from tortie.datastore.store import Store
from tortie.lab.demo import Demo
from tortie.model.codec import InvalidResourceError
from tortie.model.kinds import CALICO_PREFIX, parse_path
from tortie.model.meta import Resource
from tortie.model.validation import stored_resource
from tortie.net import Family
from tortie.verdict import Cause, Cluster, Verdict

log = logging.getLogger(__name__)


def explain(store: Store, demo: Demo, source: str, destination: str) -> dict[str, Any]:
    """The verdict on a connection between two probes of *demo*, by their ids. LookupError if there is no such connection."""
    here, there = (Probe(each.id, each.workload, each.port) for each in (demo.probe(source), demo.probe(destination)))
    return explain_connection(store, here, there)


def explain_connection(store: Store, source: Probe, destination: Probe) -> dict[str, Any]:
    """The verdict on a connection between two workloads. LookupError if there is no such connection."""
    if source == destination:
        raise LookupError("a workload may always reach itself")
    verdicts = matrix(Cluster.of(_resources(store)), (source, destination))
    return {
        "source": source.endpoint,
        "destination": destination.endpoint,
        "protocol": str(destination.protocol),
        "port": destination.port,
        **{f"ipv{family}": _as_json(verdicts.get(Cell(source.name, destination.name, family))) for family in Family},
    }


def _resources(store: Store) -> Iterator[Resource]:
    """What bears on verdicts; a stored resource that is invalid counts as absent, as it does on every host."""
    for entry in store.list(CALICO_PREFIX).entries:
        if (key := parse_path(entry.key)) is None:
            continue
        try:
            yield stored_resource(key, entry.value)
        except InvalidResourceError as error:
            log.warning("%s counts as absent: %s", key, error)


def _as_json(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    decisions = [decision for decision in (verdict.egress, verdict.ingress) if decision is not None]
    return {
        "allowed": verdict.allowed,
        "reason": verdict.reason,
        "decisions": [
            {
                "direction": decision.direction,
                "allowed": decision.allowed,
                "reason": decision.reason,
                "byDefault": decision.cause is Cause.TIER_DEFAULT,
                "policies": [str(trace.policy) for tier in decision.tiers for trace in tier.policies],
                "lines": list(decision.lines()),
            }
            for decision in decisions
        ],
    }
