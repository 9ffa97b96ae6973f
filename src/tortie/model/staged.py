"""Staged policies: what a policy would do, without doing it.

They are stored, validated and shown like the policies that they may become, and they are never enforced. So their kinds are
strangers to ``tortie.model.policy``'s: nothing that asks for a NetworkPolicy is ever given a staged one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from tortie.model import kubernetes, policy
from tortie.model.meta import Resource


class StagedAction(StrEnum):
    """What enforcing the staged policy would do to the policy of the same name."""

    SET = "Set"
    """Create it, or replace it."""
    DELETE = "Delete"
    """Delete it."""
    LEARN = "Learn"
    """Nothing yet: it is still being worked out from traffic."""
    IGNORE = "Ignore"
    """Nothing: it is kept as a note."""


class StagedNetworkPolicySpec(policy.NetworkPolicySpec, frozen=True, kw_only=True):
    """A NetworkPolicy's spec, and what is meant by it."""

    staged_action: StagedAction = StagedAction.SET
    """What enforcing it would do. With Delete, no other field than ``tier`` may be given."""


class StagedGlobalNetworkPolicySpec(policy.GlobalNetworkPolicySpec, frozen=True, kw_only=True):
    """A GlobalNetworkPolicy's spec, and what is meant by it."""

    staged_action: StagedAction = StagedAction.SET
    """What enforcing it would do. With Delete, no other field than ``tier`` may be given."""


class StagedKubernetesNetworkPolicySpec(kubernetes.NetworkPolicySpec, frozen=True, kw_only=True):
    """The spec of a Kubernetes NetworkPolicy, and what is meant by it."""

    staged_action: StagedAction = StagedAction.SET
    """What enforcing it would do. With Delete, no other field may be given."""


class StagedNetworkPolicy(Resource, frozen=True, kw_only=True, tag="StagedNetworkPolicy"):
    """A NetworkPolicy to be tried out; it is never enforced."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: StagedNetworkPolicySpec
    """What it would govern, and how."""


class StagedGlobalNetworkPolicy(Resource, frozen=True, kw_only=True, tag="StagedGlobalNetworkPolicy"):
    """A GlobalNetworkPolicy to be tried out; it is never enforced."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: StagedGlobalNetworkPolicySpec
    """What it would govern, and how."""


class StagedKubernetesNetworkPolicy(Resource, frozen=True, kw_only=True, tag="StagedKubernetesNetworkPolicy"):
    """A Kubernetes NetworkPolicy to be tried out, in the default tier; it is never enforced."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: StagedKubernetesNetworkPolicySpec
    """What it would govern, and how."""
