"""Calico's policies, tiers and profiles (``projectcalico.org/v3``).

A policy selects endpoints and judges their packets with its rules; policies stand in tiers, which are asked in order. What no
policy governs is left to the endpoint's profiles. The staged kinds are in ``tortie.model.staged``.
"""

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
    """Accept it in this direction; later rules, tiers and profiles are not asked."""
    DENY = "Deny"
    """Drop it."""
    LOG = "Log"
    """Write a log entry and go on with the next rule."""
    PASS = "Pass"
    """Leave the tier and go on with the next one, or after the last with the profiles."""


class Direction(StrEnum):
    """Of a packet, as the endpoint sees it; also the ``types`` of a policy."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class ICMPFields(Value, frozen=True, kw_only=True):
    """Which ICMP or ICMPv6 packets match."""

    type: int | None = None
    """0-254, such as 8 for an echo request (128 in ICMPv6). Absent: every type."""
    code: int | None = None
    """0-255; needs ``type``. Absent: every code."""


class ServiceAccountMatch(Value, frozen=True, kw_only=True):
    """Peers by their service account: in one of ``names`` and matching ``selector``."""

    names: tuple[str, ...] = ()
    """Names of service accounts, any of which may match. Empty: any account."""
    selector: str = ""
    """A selector over the labels of the service account. Empty: any account."""


class ServiceMatch(Value, frozen=True, kw_only=True):
    """The endpoints behind a Kubernetes service."""

    name: str = ""
    """The service's name; it must be given."""
    namespace: str = ""
    """The service's namespace. Empty: the policy's own; a GlobalNetworkPolicy must give it."""


class EntityRule(Value, frozen=True, kw_only=True):
    """Which peers one end of a rule matches: every field given must match, any item of a list may."""

    nets: tuple[Network, ...] = ()
    """Networks such as ``10.0.0.0/8``, at most 256, all of one IP version in one rule."""
    not_nets: tuple[Network, ...] = ()
    """Networks none of which may hold the address."""
    selector: str = ""
    """Endpoints and network sets by their labels. Matches only addresses that Calico knows. In a NetworkPolicy, those of its
    own namespace unless ``namespaceSelector`` is given."""
    not_selector: str = ""
    """Excludes endpoints and network sets by their labels; addresses that Calico does not know remain."""
    namespace_selector: str = ""
    """Namespaces by their labels, to which ``selector`` is limited; ``global()`` alone means what belongs to no namespace."""
    ports: tuple[Port, ...] = ()
    """Numbers, ranges such as ``8000:8080``, or names of endpoints' ports; at most 50. Numbers need protocol TCP, UDP or SCTP."""
    not_ports: tuple[Port, ...] = ()
    """Ports none of which may match, written like ``ports``."""
    service_accounts: ServiceAccountMatch | None = None
    """Pods by their service account."""
    services: ServiceMatch | None = None
    """The endpoints of one service: source of an ingress rule or destination of an egress rule, there with the service's ports."""


class HTTPPath(Value, frozen=True, kw_only=True):
    """One path of a request; exactly one of the two fields."""

    exact: str = ""
    """The whole path, such as ``/health``; begins with ``/``, without query and fragment."""
    prefix: str = ""
    """What the path begins with, such as ``/api/``."""


class HTTPMatch(Value, frozen=True, kw_only=True):
    """Which HTTP requests match: one of the methods and one of the paths."""

    methods: tuple[str, ...] = ()
    """Such as ``GET``, at most 20. Empty: every method."""
    paths: tuple[HTTPPath, ...] = ()
    """At most 20. Empty: every path."""


class RuleMetadata(Value, frozen=True, kw_only=True):
    """Notes on a rule, which change nothing."""

    annotations: Mapping[str, str] = {}
    """Free text by name."""


class Rule(Value, frozen=True, kw_only=True):
    """One rule of a policy or profile; all criteria given must match."""

    action: Action
    """What happens to a packet that matches."""
    ip_version: Literal[4, 6] | None = msgspec.field(default=None, name="ipVersion")
    """Matches only IPv4 or only IPv6. Absent: both, as far as networks and ICMP allow."""
    protocol: Protocol | None = None
    """A name (TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite) or a number 1-255. Absent: every protocol."""
    not_protocol: Protocol | None = None
    """The protocol that must not match; not together with ``protocol``."""
    icmp: ICMPFields | None = None
    """Type and code; needs protocol ICMP or ICMPv6."""
    not_icmp: ICMPFields | None = msgspec.field(default=None, name="notICMP")
    """Type and code that must not match."""
    source: EntityRule = EntityRule()
    """Where the packet comes from."""
    destination: EntityRule = EntityRule()
    """Where the packet goes to."""
    http: HTTPMatch | None = None
    """HTTP requests; only in Allow rules of ingress, with protocol TCP or none."""
    metadata: RuleMetadata | None = None
    """Notes on the rule."""


class NetworkPolicySpec(Value, frozen=True, kw_only=True):
    """What a policy governs, and how."""

    tier: str = "default"
    """The tier that the policy stands in; it must exist."""
    order: float | None = None
    """The place in the tier: lower is earlier, equal orders go by name. Absent is last."""
    ingress: tuple[Rule, ...] = ()
    """Rules for packets to the endpoint; the first that decides counts. At most 1024."""
    egress: tuple[Rule, ...] = ()
    """Rules for packets from the endpoint; the first that decides counts. At most 1024."""
    selector: str = ""
    """Which endpoints it governs, of its namespace if it has one; empty means all."""
    types: tuple[Direction, ...] = ()
    """Directions it governs; what no rule allows in them is denied by the tier. Empty, as written by people: Ingress unless
    there are only egress rules; both if there are both."""
    service_account_selector: str = ""
    """Governs only pods whose service account has such labels; empty means all."""
    performance_hints: tuple[str, ...] = ()
    """``AssumeNeededOnEveryNode`` has every host prepare the policy before an endpoint needs it. Changes no verdict."""


class GlobalNetworkPolicySpec(NetworkPolicySpec, frozen=True, kw_only=True):
    """What a policy of the whole cluster governs, and how."""

    namespace_selector: str = ""
    """Governs only endpoints of namespaces with such labels; empty means all, and host endpoints too."""
    do_not_track: bool = False
    """Judge before connection tracking, which allowed packets then skip. Host endpoints only; needs ``applyOnForward``."""
    pre_dnat: bool = msgspec.field(default=False, name="preDNAT")
    """Judge before destinations are translated. Host endpoints only, ingress only; needs ``applyOnForward``."""
    apply_on_forward: bool = False
    """Judge also what a host endpoint forwards, such as packets to the host's workloads."""


class NetworkPolicy(Resource, frozen=True, kw_only=True, tag="NetworkPolicy"):
    """Which packets the endpoints of one namespace may receive and send."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: NetworkPolicySpec
    """What it governs, and how."""


class GlobalNetworkPolicy(Resource, frozen=True, kw_only=True, tag="GlobalNetworkPolicy"):
    """Which packets endpoints of any namespace, and hosts, may receive and send."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: GlobalNetworkPolicySpec
    """What it governs, and how."""


class TierSpec(Value, frozen=True, kw_only=True):
    """A tier's place, and what it does with packets that its policies leave undecided."""

    order: float | None = None
    """Lower is earlier; absent counts as 1,000,000."""
    default_action: Literal["Deny", "Pass"] = "Deny"
    """For packets that a policy of the tier governs and no rule of it decides."""


class Tier(Resource, frozen=True, kw_only=True, tag="Tier"):
    """A group of policies that is asked as a whole, before or after other groups.

    The tiers kube-admin, default and kube-baseline are always there, keep their order and action, and cannot be deleted.
    """

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: TierSpec
    """Its place and default action."""


class ProfileSpec(Value, frozen=True, kw_only=True):
    """Rules and labels for the endpoints that list the profile."""

    ingress: tuple[Rule, ...] = ()
    """Rules for packets to the endpoint that no policy governs. At most 1024."""
    egress: tuple[Rule, ...] = ()
    """Rules for packets from the endpoint that no policy governs. At most 1024."""
    labels_to_apply: Mapping[str, str] = {}
    """Given to every endpoint that lists the profile, unless it has the label itself."""


class Profile(Resource, frozen=True, kw_only=True, tag="Profile"):
    """What endpoints get by naming it: rules for what no policy governs, and labels. Namespaces and service accounts mean one."""

    api_version: Literal["projectcalico.org/v3"] = "projectcalico.org/v3"
    spec: ProfileSpec
    """Its rules and labels."""
