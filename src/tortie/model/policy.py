"""Calico's policies, tiers and profiles (``projectcalico.org/v3``)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from tortie.model.meta import Resource, Value
from tortie.net import Network, Port, Protocol


class Action(StrEnum):
    """What a rule does with a packet that matches it."""

    ALLOW = "Allow"
    DENY = "Deny"
    LOG = "Log"
    """Write a log entry and go on with the next rule."""
    PASS = "Pass"
    """Leave the tier and go on with the next one, or after the last with the profiles."""


class Direction(StrEnum):
    """Of a packet, as the endpoint sees it; also the ``types`` of a policy."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class ICMPFields(Value, frozen=True, kw_only=True):
    type: int | None = None
    code: int | None = None
    """Needs ``type``."""


class ServiceAccountMatch(Value, frozen=True, kw_only=True):
    """Peers by their service account: in one of ``names`` and matching ``selector``."""

    names: tuple[str, ...] = ()
    selector: str = ""


class ServiceMatch(Value, frozen=True, kw_only=True):
    """The endpoints behind a Kubernetes service."""

    name: str = ""
    namespace: str = ""


class EntityRule(Value, frozen=True, kw_only=True):
    """Which peers one end of a rule matches: every field given must match, any item of a list may."""

    nets: tuple[Network, ...] = ()
    not_nets: tuple[Network, ...] = ()
    selector: str = ""
    not_selector: str = ""
    namespace_selector: str = ""
    ports: tuple[Port, ...] = ()
    not_ports: tuple[Port, ...] = ()
    service_accounts: ServiceAccountMatch | None = None
    services: ServiceMatch | None = None


class HTTPPath(Value, frozen=True, kw_only=True):
    exact: str = ""
    prefix: str = ""


class HTTPMatch(Value, frozen=True, kw_only=True):
    methods: tuple[str, ...] = ()
    paths: tuple[HTTPPath, ...] = ()


class RuleMetadata(Value, frozen=True, kw_only=True):
    annotations: Mapping[str, str] = {}


class Rule(Value, frozen=True, kw_only=True):
    """One rule of a policy or profile; all criteria given must match."""

    action: Action
    ip_version: Literal[4, 6] | None = msgspec.field(default=None, name="ipVersion")
    protocol: Protocol | None = None
    not_protocol: Protocol | None = None
    icmp: ICMPFields | None = None
    not_icmp: ICMPFields | None = msgspec.field(default=None, name="notICMP")
    source: EntityRule = EntityRule()
    destination: EntityRule = EntityRule()
    http: HTTPMatch | None = None
    metadata: RuleMetadata | None = None


class NetworkPolicySpec(Value, frozen=True, kw_only=True):
    tier: str = "default"
    order: float | None = None
    """Lower is earlier; absent is last."""
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    selector: str = ""
    """Which endpoints of the namespace it governs; empty means all."""
    types: tuple[Direction, ...] = ()
    """Directions it governs. Empty, as written by people: Ingress unless there are only egress rules; both if there are both."""
    service_account_selector: str = ""
    performance_hints: tuple[str, ...] = ()


class GlobalNetworkPolicySpec(NetworkPolicySpec, frozen=True, kw_only=True):
    namespace_selector: str = ""
    do_not_track: bool = False
    pre_dnat: bool = msgspec.field(default=False, name="preDNAT")
    apply_on_forward: bool = False


class NetworkPolicy(Resource, frozen=True, kw_only=True, tag="NetworkPolicy"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: NetworkPolicySpec


class GlobalNetworkPolicy(Resource, frozen=True, kw_only=True, tag="GlobalNetworkPolicy"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: GlobalNetworkPolicySpec


class TierSpec(Value, frozen=True, kw_only=True):
    order: float | None = None
    """Lower is earlier; absent counts as 1,000,000."""
    default_action: Literal["Deny", "Pass"] = "Deny"
    """For packets that a policy of the tier governs and no rule of it decides."""


class Tier(Resource, frozen=True, kw_only=True, tag="Tier"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: TierSpec


class ProfileSpec(Value, frozen=True, kw_only=True):
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    labels_to_apply: Mapping[str, str] = {}
    """Given to every endpoint that lists the profile, unless it has the label itself."""


class Profile(Resource, frozen=True, kw_only=True, tag="Profile"):
    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: ProfileSpec
