"""A packet's fate on a host, from the host's state alone: the judge of what compiled rulesets do.

A few loops in the order of the reference, without chains, marks, sets or maps. Where the packet is judged before its
destination is translated (untracked and pre-DNAT policy) and where after is the order of the lines in ``fate``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tortie.calc import HostState
from tortie.calc.hoststate import HostHostEndpoint, HostRule, HostWorkloadEndpoint, PolicyId, TierPolicies
from tortie.model.policy import Action
from tortie.net import ICMPV6, IPIP, UDP, Address
from tortie.ruleset import EndpointToHostAction, Options, Packet
from tortie.ruleset.options import Failsafe
from tortie.ruleset.values import CtState
from tortie.testing.hostrules import matches
from tortie.testing.hoststates import OUTER

KNOWN = (CtState.ESTABLISHED, CtState.RELATED)


def fate(state: HostState, packet: Packet, options: Options | None = None) -> bool:
    """Whether the packet gets through the host, on the way that its interfaces say."""
    host = _Host(state, options if options is not None else Options())
    came, goes = packet.in_interface, packet.out_interface
    if came and host.is_spoofed(packet):
        return False
    untracked = host.untracked(packet)
    if untracked is False:
        return False
    if untracked:
        packet = msgspec.structs.replace(packet, ct_state=CtState.UNTRACKED)
    pre_dnat = host.pre_dnat(packet) if came and not untracked else None
    if pre_dnat is False:
        return False
    packet = _translated(packet)
    if came and goes:
        return host.is_forwarded(packet, untracked=bool(untracked))
    if came:
        return host.reaches_host(packet, allowed=bool(untracked or pre_dnat))
    return host.leaves_host(packet, allowed=bool(untracked))


def _translated(packet: Packet) -> Packet:
    to = packet.translation
    if to is None or packet.ct_state is CtState.UNTRACKED:
        return packet
    port = packet.destination_port if to.port is None else to.port
    return msgspec.structs.replace(packet, destination=to.address, destination_port=port)


class _Host(NamedTuple):
    state: HostState
    options: Options

    # --- who stands where ---------------------------------------------------------------------------------------------------

    def looks_like_workload(self, ifname: str) -> bool:
        return ifname.startswith(self.options.interface_prefixes) or self.workload(ifname) is not None

    def workload(self, ifname: str) -> HostWorkloadEndpoint | None:
        claims = [i for i, endpoint in self.state.workload_endpoints.items() if endpoint.ifname == ifname]
        return self.state.workload_endpoints[min(claims, key=lambda claim: claim.rank)] if claims else None

    def host_endpoint(self, ifname: str, *, wildcard: bool = True) -> HostHostEndpoint | None:
        """The interface's own, or else the one for all interfaces."""
        addresses = OUTER.get(ifname, frozenset())
        endpoints = [endpoint for _, endpoint in sorted(self.state.host_endpoints.items())]
        if not self.looks_like_workload(ifname):
            for endpoint in endpoints:
                named = endpoint.ifname == ifname
                if named or (not endpoint.ifname and not addresses.isdisjoint(endpoint.expected_ips)):
                    return endpoint
        return self.for_all() if wildcard else None

    def for_all(self) -> HostHostEndpoint | None:
        endpoints = [endpoint for _, endpoint in sorted(self.state.host_endpoints.items())]
        return next((endpoint for endpoint in endpoints if endpoint.ifname == "*"), None)

    # --- the stages, in order -----------------------------------------------------------------------------------------------

    def is_spoofed(self, packet: Packet) -> bool:
        if not packet.is_spoofed or not self.looks_like_workload(packet.in_interface):
            return False
        workload = self.workload(packet.in_interface)
        spoofable = workload.spoofable if workload is not None and self.options.may_spoof else ()
        return not any(net.contains(packet.source) for net in spoofable)

    def untracked(self, packet: Packet) -> bool | None:
        """True: allowed, and from here on untracked; None: no policy has decided."""
        egress = not packet.in_interface
        ifname = packet.out_interface if egress else packet.in_interface
        endpoint = self.host_endpoint(ifname, wildcard=False)
        if endpoint is None:
            return None
        both = (self.options.failsafes_in, self.options.failsafes_out)
        there, back = reversed(both) if egress else both
        end = packet.destination if egress else packet.source
        if _is_failsafe(there, packet, packet.destination_port, end) or _is_failsafe(
            back, packet, packet.source_port, end
        ):
            return None
        return self.decide(endpoint.untracked_tiers, packet, egress=egress, has_end=False)

    def pre_dnat(self, packet: Packet) -> bool | None:
        """Only host endpoints with policy for it count here, the one for all interfaces if the interface's own has none."""
        endpoint = self.host_endpoint(packet.in_interface)
        if endpoint is None or not endpoint.pre_dnat_tiers:
            endpoint = self.for_all()
        if endpoint is None or not endpoint.pre_dnat_tiers or packet.ct_state in KNOWN:
            return None
        if self.is_invalid(packet):
            return False
        if self.is_failsafe_in(packet):
            return None
        return self.decide(endpoint.pre_dnat_tiers, packet, egress=False, has_end=False)

    def is_forwarded(self, packet: Packet, *, untracked: bool) -> bool:
        came, goes = packet.in_interface, packet.out_interface
        if self.is_over_rate(packet, came, "pps-from") or self.is_over_rate(packet, goes, "pps-to"):
            return False
        if packet.ct_state in KNOWN:
            return True
        return (
            (untracked or self.may_forward(packet, came, egress=False))
            and self.workload_allows(packet, came, egress=True)
            and self.workload_allows(packet, goes, egress=False)
            and self.may_forward(packet, goes, egress=True)
        )

    def may_forward(self, packet: Packet, ifname: str, *, egress: bool) -> bool:
        """Whether a host endpoint's forward policy lets it pass; without such policy it does."""
        endpoint = self.host_endpoint(ifname)
        if endpoint is None:
            return True
        if self.is_invalid(packet):
            return False
        return self.decide(endpoint.forward_tiers, packet, egress=egress) is not False

    def reaches_host(self, packet: Packet, *, allowed: bool) -> bool:
        ifname = packet.in_interface
        if self.is_over_rate(packet, ifname, "pps-from"):
            return False
        if packet.ct_state in KNOWN:
            return True
        if self.looks_like_workload(ifname):
            if packet.protocol == ICMPV6 and packet.icmp_type in (130, 131, 132, 133, 135, 136):
                return True
            if self.options.endpoint_to_host_action is EndpointToHostAction.DROP:
                return False
            return self.workload_allows(packet, ifname, egress=True)
        return allowed or self.is_failsafe_in(packet, valid=True) or self.host_allows(packet, ifname, egress=False)

    def leaves_host(self, packet: Packet, *, allowed: bool) -> bool:
        ifname = packet.out_interface
        if packet.ct_state in KNOWN or allowed or self.looks_like_workload(ifname):
            return True
        valid = not self.is_invalid(packet)
        is_failsafe = _is_failsafe(self.options.failsafes_out, packet, packet.destination_port, packet.destination)
        return (valid and is_failsafe) or self.host_allows(packet, ifname, egress=True)

    # --- endpoints ----------------------------------------------------------------------------------------------------------

    def workload_allows(self, packet: Packet, ifname: str, *, egress: bool) -> bool:
        if not self.looks_like_workload(ifname):
            return True
        workload = self.workload(ifname)
        if workload is None or self.is_invalid(packet) or self.is_over_connections(packet, workload, egress=egress):
            return False
        if egress and self.is_tunnelled(packet):
            return False
        return self.ends_with_profiles(workload, packet, egress=egress)

    def host_allows(self, packet: Packet, ifname: str, *, egress: bool) -> bool:
        endpoint = self.host_endpoint(ifname)
        if endpoint is None:
            return True
        return not self.is_invalid(packet) and self.ends_with_profiles(endpoint, packet, egress=egress)

    def ends_with_profiles(
        self, endpoint: HostWorkloadEndpoint | HostHostEndpoint, packet: Packet, *, egress: bool
    ) -> bool:
        decided = self.decide(endpoint.tiers, packet, egress=egress)
        if decided is not None:
            return decided
        profiles = [self.state.profiles[name] for name in endpoint.profiles]
        rules = [rule for profile in profiles for rule in (profile.egress if egress else profile.ingress)]
        return self.first(rules, packet) is Action.ALLOW

    # --- tiers and rules ----------------------------------------------------------------------------------------------------

    def enforced(self, tier: TierPolicies, *, egress: bool) -> list[PolicyId]:
        return [i for i in (tier.egress if egress else tier.ingress) if not self.state.policies[i].staged]

    def decide(
        self, tiers: Iterable[TierPolicies], packet: Packet, *, egress: bool, has_end: bool = True
    ) -> bool | None:
        """What the tiers decide; None: nothing."""
        for tier in tiers:
            policies = [self.state.policies[i] for i in self.enforced(tier, egress=egress)]
            action = self.first([r for p in policies for r in (p.egress if egress else p.ingress)], packet)
            if action is None and policies and has_end and tier.default_action == "Deny":
                return False
            if action in (Action.ALLOW, Action.DENY):
                return action is Action.ALLOW
        return None

    def first(self, rules: list[HostRule], packet: Packet) -> Action | None:
        hits = (r.action for r in rules if r.action is not Action.LOG and matches(self.state.ip_sets, r, packet))
        return next(hits, None)

    # --- all else -----------------------------------------------------------------------------------------------------------

    def is_invalid(self, packet: Packet) -> bool:
        return self.options.drop_invalid and packet.ct_state is CtState.INVALID

    def is_failsafe_in(self, packet: Packet, *, valid: bool = False) -> bool:
        if valid and (self.is_invalid(packet) or self.host_endpoint(packet.in_interface) is None):
            return False
        return _is_failsafe(self.options.failsafes_in, packet, packet.destination_port, packet.source)

    def is_tunnelled(self, packet: Packet) -> bool:
        ipip = packet.protocol == IPIP and not self.options.allow_ipip_from_workloads
        is_vxlan = packet.protocol == UDP and packet.destination_port == self.options.vxlan_port
        return ipip or (is_vxlan and not self.options.allow_vxlan_from_workloads)

    def is_over_rate(self, packet: Packet, ifname: str, set_name: str) -> bool:
        workload = self.workload(ifname)
        if workload is None or set_name not in packet.over_limit:
            return False
        limits = workload.limits
        return (limits.egress_rate if set_name == "pps-from" else limits.ingress_rate) is not None

    def is_over_connections(self, packet: Packet, workload: HostWorkloadEndpoint, *, egress: bool) -> bool:
        limit = workload.limits.egress_connections if egress else workload.limits.ingress_connections
        return limit is not None and ("conn-from" if egress else "conn-to") in packet.over_limit


def _is_failsafe(failsafes: Iterable[Failsafe], packet: Packet, port: int | None, other: Address) -> bool:
    return any(
        (failsafe.protocol, failsafe.port) == (packet.protocol, port)
        and (failsafe.net is None or failsafe.net.contains(other))
        for failsafe in failsafes
    )
