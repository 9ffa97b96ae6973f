"""What one host does with the first packet of a new connection: the way through its stages.

                      ┌ reverse path (from a workload) ┐
    arrives ──────────┤                                ├─► pre-DNAT ─┬─► for the host ──► to-host action or host endpoint
                      └ untracked (from the network)   ┘             └─► forwarded ─────► forward in, workload out, workload in,
    the host sends ──► untracked ──► host endpoint ──► leaves                             forward out ──► leaves

Where no endpoint stands, nothing is asked. Allow in the untracked stage spares a packet what a host endpoint would ask on the way
in, forward policy included, or out; Allow in the pre-DNAT stage spares it the policy for what is for the host. Neither
spares it a workload's policy, or what is asked where a forwarded packet leaves. What the host sends to itself leaves and arrives
over loopback.

Answers of known connections, address translation and limits of rate and number are not asked here.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec

from tortie.model.policy import Direction
from tortie.net import Address
from tortie.verdict import gates
from tortie.verdict.decide import Policies, Question, decide, is_governed
from tortie.verdict.endpoint import Endpoint, HostInterface, Peer
from tortie.verdict.interfaces import Interfaces
from tortie.verdict.names import LOOPBACK
from tortie.verdict.packet import HostPacket, Traffic
from tortie.verdict.refs import EndpointRef, HostEndpointRef, Judge
from tortie.verdict.settings import Settings
from tortie.verdict.trace import Cause, Decision, Stage
from tortie.verdict.tunnels import Tunnels
from tortie.verdict.verdicts import HostVerdict

INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS

Link: TypeAlias = Endpoint | str
"""An interface of a host: that of a workload, or one that is not, by its name."""


class Way(NamedTuple):
    """Between which interfaces a packet goes through a host."""

    arrives: Link | None
    """None: the host itself sends it."""
    leaves: Link | None
    """None: it is for the host itself."""


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """One host of a cluster."""

    node: str
    settings: Settings
    interfaces: Interfaces
    workloads: tuple[Endpoint, ...]
    """The host's own, those of lower rank first. One without an address is not enforced, so its link is unknown."""
    peers: tuple[Peer, ...]
    policies: Policies
    tunnels: Tunnels

    def passes(self, packet: HostPacket) -> bool:
        """Whether *packet*, the first of a new connection, gets through this host."""
        return self.judge(packet).allowed

    def judge(self, packet: HostPacket) -> HostVerdict:
        """The same, with the whole reasoning."""
        ways = (packet.in_interface, packet.out_interface)
        arrives, leaves = (self._link(ifname) if ifname is not None else None for ifname in ways)
        return self.follow(Traffic.of(packet, self.peers), Way(arrives, leaves))

    def follow(self, traffic: Traffic, way: Way) -> HostVerdict:
        """What becomes of *traffic* on its *way*."""
        walk = _Walk(self, traffic)
        walk.go(way)
        return HostVerdict(node=self.node, decisions=tuple(walk.decisions))

    def _link(self, ifname: str) -> Link:
        return next((workload for workload in self.workloads if workload.interface == ifname), ifname)

    def holder(self, endpoint: Endpoint) -> Endpoint:
        """Whose link *endpoint*'s is: its own, unless one of a lower rank claims it as well."""
        claims = (each for each in (*self.workloads, endpoint) if each.interface == endpoint.interface)
        return min(claims, key=lambda each: each.rank)

    def is_workload(self, link: Link) -> bool:
        """Whether the link is a workload's, if only by its name."""
        return isinstance(link, Endpoint) or self.settings.looks_like_workload(link)

    def host_endpoint(self, link: Link) -> HostInterface | None:
        """Whose policy is asked at a link; a workload's has no host endpoint of its own."""
        return self.own_host_endpoint(link) or self.interfaces.wildcard

    def own_host_endpoint(self, link: Link) -> HostInterface | None:
        return None if isinstance(link, Endpoint) else self.interfaces.own_endpoint(link)


class _Walk:
    """A packet on its way through a host."""

    def __init__(self, host: HostView, traffic: Traffic) -> None:
        self._host, self._traffic = host, traffic
        self._packet, self._settings = traffic.packet, host.settings
        self._is_tracked = True
        self._allowed_untracked = False
        self._allowed_before_dnat = False
        self.decisions: list[Decision] = []

    def go(self, way: Way) -> None:
        arrives, leaves = way
        if arrives is None:
            self._send(LOOPBACK if leaves is None else leaves)
            return
        self._arrive(arrives)
        if leaves is None:
            self._receive(arrives)
        else:
            self._forward(arrives, leaves)

    # --- the ways -----------------------------------------------------------------------------------------------------------

    def _arrive(self, link: Link) -> None:
        self._allowed_untracked = False
        if self._host.is_workload(link):
            self._check_reverse_path(link)
        else:
            self._ask_untracked(link, INGRESS)
        if not self._allowed_untracked:
            self._ask_before_dnat(link)

    def _receive(self, link: Link) -> None:
        """For the host itself."""
        if self._is_tunnelled and not self._is_host(self._packet.source):
            self._note(link, Stage.TO_HOST, INGRESS, Cause.STRANGERS_TUNNEL, allowed=False)
        if self._host.is_workload(link):
            self._receive_from_workload(link)
        elif (endpoint := self._host.host_endpoint(link)) is not None:
            self._ask_host(endpoint, link, INGRESS, spared=self._allowed_untracked or self._allowed_before_dnat)

    def _receive_from_workload(self, link: Link) -> None:
        if gates.is_neighbour_discovery(self._packet):
            self._note(link, Stage.TO_HOST, EGRESS, Cause.NEIGHBOUR_DISCOVERY, allowed=True)
            return
        self._ask_workload(link, EGRESS)
        action = self._settings.to_host_action
        self._note(link, Stage.TO_HOST, EGRESS, Cause.HOST_ACTION, allowed=action != "Drop", detail=action)

    def _forward(self, arrives: Link, leaves: Link) -> None:
        if (endpoint := self._host.host_endpoint(arrives)) is not None:
            if self._allowed_untracked:
                self._spare(endpoint, arrives, Stage.FORWARD, INGRESS)
            else:
                self._ask(endpoint, arrives, Stage.FORWARD, INGRESS)
        if self._host.is_workload(arrives):
            self._ask_workload(arrives, EGRESS)
        if self._host.is_workload(leaves):
            self._ask_workload(leaves, INGRESS)
        if (endpoint := self._host.host_endpoint(leaves)) is not None:
            self._ask(endpoint, leaves, Stage.FORWARD, EGRESS)

    def _send(self, link: Link) -> None:
        """From the host itself."""
        if self._host.is_workload(link):
            self._note(link, Stage.NORMAL, INGRESS, Cause.FROM_HOST, allowed=True)
            return
        self._ask_untracked(link, EGRESS)
        if (endpoint := self._host.host_endpoint(link)) is not None:
            self._ask_host(endpoint, link, EGRESS, spared=self._allowed_untracked)
        if link == LOOPBACK:
            self._arrive(link)
            self._receive(link)

    # --- the stages ---------------------------------------------------------------------------------------------------------

    def _check_reverse_path(self, link: Link) -> None:
        workload = link if isinstance(link, Endpoint) else None
        if self._traffic.source.address is None or gates.may_come_from(self._packet, workload, self._settings):
            return
        self._note(link, Stage.REVERSE_PATH, EGRESS, Cause.SPOOFED, allowed=False, detail=str(self._packet.source))

    def _ask_untracked(self, link: Link, direction: Direction) -> None:
        """Untracked policy of the wildcard is ignored."""
        endpoint = self._host.own_host_endpoint(link)
        if endpoint is None or not self._is_governed(endpoint, link, Stage.UNTRACKED, direction):
            return
        decision = self._ask(endpoint, link, Stage.UNTRACKED, direction)
        self._allowed_untracked = decision.is_allow_rule
        self._is_tracked = self._is_tracked and not decision.is_allow_rule

    def _ask_before_dnat(self, link: Link) -> None:
        """The wildcard's pre-DNAT policy is for all interfaces that have none of their own, workloads' too."""
        candidates = (self._host.own_host_endpoint(link), self._host.interfaces.wildcard)
        for endpoint in candidates:
            if endpoint is not None and self._is_governed(endpoint, link, Stage.PRE_DNAT, INGRESS):
                self._allowed_before_dnat = self._ask(endpoint, link, Stage.PRE_DNAT, INGRESS).is_allow_rule
                return

    def _ask_host(self, endpoint: HostInterface, link: Link, direction: Direction, *, spared: bool) -> None:
        other_end = self._packet.source if direction is INGRESS else self._packet.destination
        if spared:
            self._spare(endpoint, link, Stage.NORMAL, direction)
        elif self._is_tunnelled and self._is_host(other_end):
            self._note(link, Stage.NORMAL, direction, Cause.HOSTS_TUNNEL, allowed=True)
        else:
            self._ask(endpoint, link, Stage.NORMAL, direction)

    def _ask_workload(self, link: Link, direction: Direction) -> None:
        if isinstance(link, str):
            self._note(link, Stage.NORMAL, direction, Cause.UNKNOWN_INTERFACE, allowed=False, detail=link)
        elif direction is EGRESS and self._is_valid and gates.is_tunnel(self._packet, self._settings):
            self._note(link, Stage.NORMAL, direction, Cause.TUNNEL, allowed=False)
        else:
            self._ask(link, link, Stage.NORMAL, direction)

    # --- one question -------------------------------------------------------------------------------------------------------

    @property
    def _is_tunnelled(self) -> bool:
        return self._host.tunnels.carry(self._packet, self._settings)

    def _is_host(self, address: Address) -> bool:
        return self._host.tunnels.may_use(address, self._settings)

    @property
    def _is_valid(self) -> bool:
        return not (self._settings.drops_invalid and self._is_tracked and gates.is_invalid(self._packet))

    def _is_governed(self, endpoint: HostInterface, link: Link, stage: Stage, direction: Direction) -> bool:
        return is_governed(self._question(endpoint, link, stage, direction))

    def _ask(self, endpoint: Endpoint | HostInterface, link: Link, stage: Stage, direction: Direction) -> Decision:
        question = self._question(endpoint, link, stage, direction)
        decision = self._before_policy(question) or decide(question)
        self.decisions.append(decision)
        return decision

    def _question(self, endpoint: Endpoint | HostInterface, link: Link, stage: Stage, direction: Direction) -> Question:
        return Question(
            endpoint=endpoint,
            judge=self._judge(endpoint, link, direction),
            stage=stage,
            direction=direction,
            traffic=self._traffic,
            policies=self._host.policies,
        )

    def _judge(self, endpoint: Endpoint | HostInterface, link: Link, direction: Direction) -> Judge:
        if isinstance(endpoint, HostInterface):
            return HostEndpointRef(self._host.node, endpoint.name, _name(link))
        address = self._packet.destination if direction is INGRESS else self._packet.source
        return EndpointRef(endpoint.namespace, endpoint.name, address)

    def _before_policy(self, question: Question) -> Decision | None:
        """What decides in an endpoint's chain before its policy; nothing is invalid before connection tracking."""
        stage, direction = question.stage, question.direction
        made = Decision(endpoint=question.judge, stage=stage, direction=direction, allowed=False, cause=Cause.INVALID)
        if stage is not Stage.UNTRACKED and not self._is_valid:
            return made
        if isinstance(question.endpoint, Endpoint):
            return None
        failsafe = gates.failsafe_of(self._packet, stage, direction, self._settings)
        if failsafe is None:
            return None
        return msgspec.structs.replace(made, allowed=True, cause=Cause.FAILSAFE, detail=str(failsafe))

    # --- what is decided without one ----------------------------------------------------------------------------------------

    def _spare(self, endpoint: HostInterface, link: Link, stage: Stage, direction: Direction) -> None:
        """Note that an endpoint is not asked, because an earlier stage has allowed the packet."""
        judge = self._judge(endpoint, link, direction)
        spared = Decision(endpoint=judge, stage=stage, direction=direction, allowed=True, cause=Cause.ALLOWED_BEFORE)
        self.decisions.append(spared)

    def _note(
        self, link: Link, stage: Stage, direction: Direction, cause: Cause, *, allowed: bool, detail: str = ""
    ) -> None:
        judge = self._judge(link, link, direction) if isinstance(link, Endpoint) else None
        noted = Decision(endpoint=judge, stage=stage, direction=direction, allowed=allowed, cause=cause, detail=detail)
        self.decisions.append(noted)


def _name(link: Link) -> str:
    return link.interface if isinstance(link, Endpoint) else link
