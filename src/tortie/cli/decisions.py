"""Verdicts as JSON and YAML show them."""

from __future__ import annotations

from typing import Any

from tortie.analysis.provenance import Place
from tortie.verdict import Decision
from tortie.verdict.refs import PolicyRef


def decision_document(decision: Decision) -> dict[str, Any]:
    """What one stage decides, and by what; fields that say nothing of this decision are left out."""
    optional = {
        "endpoint": str(decision.endpoint) if decision.endpoint is not None else None,
        "tier": decision.tier or None,
        "policy": policy_document(decision.policy) if decision.policy is not None else None,
        "profile": decision.profile or None,
        "rule": decision.rule,
    }
    return {
        "stage": str(decision.stage),
        "direction": str(decision.direction),
        "allowed": decision.allowed,
        "reason": decision.reason,
        **{field: value for field, value in optional.items() if value is not None},
    }


def policy_document(policy: PolicyRef) -> dict[str, str]:
    """A policy's identity."""
    namespace = {"namespace": policy.namespace} if policy.namespace else {}
    return {"kind": policy.kind, **namespace, "name": policy.name}


def place_document(place: Place | None) -> dict[str, Any]:
    """Where something stands in a file; empty for what stands in none."""
    if place is None:
        return {}
    return {"file": place.source, "line": place.position.line, "column": place.position.column}
