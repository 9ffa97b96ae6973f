"""Staged policies: what holds for the policies that they may become, and what a deletion may say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tortie.model.checks.kubernetes import check_kubernetes_policy_spec
from tortie.model.checks.policy import check_global_policy_spec, check_policy_spec
from tortie.model.checks.violation import Violation
from tortie.model.staged import (
    StagedAction,
    StagedGlobalNetworkPolicySpec,
    StagedKubernetesNetworkPolicySpec,
    StagedNetworkPolicySpec,
)


def check_staged_policy_spec(spec: StagedNetworkPolicySpec) -> Iterator[Violation]:
    """A staged NetworkPolicy."""
    yield from check_policy_spec(spec)
    yield from _check_deletion(spec)


def check_staged_global_policy_spec(spec: StagedGlobalNetworkPolicySpec) -> Iterator[Violation]:
    """A staged GlobalNetworkPolicy."""
    yield from check_global_policy_spec(spec)
    yield from _check_deletion(spec)


def check_staged_kubernetes_policy_spec(spec: StagedKubernetesNetworkPolicySpec) -> Iterator[Violation]:
    """A staged NetworkPolicy of Kubernetes."""
    yield from check_kubernetes_policy_spec(spec)
    yield from _check_deletion(spec)


def _check_deletion(spec: Any) -> Iterator[Violation]:
    """Deleting needs no more than a name and a tier; whoever says more means something else."""
    if spec.staged_action is not StagedAction.DELETE:
        return
    for field in msgspec.structs.fields(spec):
        if field.name not in ("staged_action", "tier") and getattr(spec, field.name) != field.default:
            message = f"stagedAction Delete takes no {field.encode_name}; leave it out, or write Set"
            yield Violation((field.encode_name,), message)
