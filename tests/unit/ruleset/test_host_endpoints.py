"""Host endpoints: each rule of the reference by name (measured-behaviour, "Host endpoints"), by packets through the ruleset."""

from typing import Any, Self

import pytest

from tortie.calc.hoststate import (
    EndpointId,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostRule,
    HostWorkloadEndpoint,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
    PortRange,
    ProfileUpdate,
    TierPolicies,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import TCP, Address, Network
from tortie.ruleset import (
    Compiler,
    EndpointToHostAction,
    Options,
    Packet,
    Ruleset,
    apply,
    apply_flush,
    initial,
    walk,
)
from tortie.ruleset.interpreter import Translation
from tortie.ruleset.options import Failsafe
from tortie.ruleset.values import BaseChain, ChainReplace, CtState, Hook, Rule, SetMark

OUTSIDE, POD, OWN = (Address.parse(text) for text in ("203.0.113.9", "10.0.0.1", "192.0.2.1"))
SERVICE, BACKEND = Address.parse("10.96.0.10"), Address.parse("10.0.0.1")
INTERFACES = {"eth0": frozenset({OWN}), "eth1": frozenset(), "lo": frozenset({Address.parse("127.0.0.1")})}

ALLOW, DENY, PASS = (HostRule(action=action) for action in (Action.ALLOW, Action.DENY, Action.PASS))
PORT_80 = HostRule(action=Action.ALLOW, protocol=TCP, destination=PeerMatch(ports=(PortRange(80, 80),)))
TO_SERVICE = HostRule(action=Action.DENY, destination=PeerMatch(nets=(SERVICE.network(),)))
TO_BACKEND = HostRule(action=Action.DENY, destination=PeerMatch(nets=(BACKEND.network(),)))
USES = {"normal": "tiers", "forward": "forward_tiers", "untracked": "untracked_tiers", "pre_dnat": "pre_dnat_tiers"}


class Host:
    """A host with a workload that policy lets do anything, host endpoints, and the ruleset of all that."""

    def __init__(self, **options: Any) -> None:
        self.options = Options(**{"endpoint_to_host_action": EndpointToHostAction.ACCEPT} | options)
        self.compiler = Compiler(self.options)
        self.compiler.interfaces_changed(INTERFACES)
        self.ruleset = apply_flush(Ruleset(), initial(self.options))
        self._profile("allow", ALLOW)
        self._profile("deny")
        self.workload("allow")

    def workload(self, profile: str) -> Self:
        endpoint = HostWorkloadEndpoint(ifname="cali1", profiles=(profile,))
        self.compiler.update(WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=endpoint))
        return self

    def endpoint(self, ifname: str, *, profiles: tuple[str, ...] = (), default: str = "Deny", **uses: Any) -> Self:
        """A host endpoint; each use of policy with the rules of its one policy, the same in both directions."""
        tiers = {}
        for use, rules in uses.items():
            policy_id = PolicyId("GlobalNetworkPolicy", "", f"{use}-{ifname.strip('*') or 'all'}")
            policy = HostPolicy(tier="t", ingress=rules, egress=rules if use != "pre_dnat" else ())
            self.compiler.update(PolicyUpdate(id=policy_id, policy=policy))
            end = "Pass" if use in ("untracked", "pre_dnat") else default
            tiers[USES[use]] = (TierPolicies(name="t", default_action=end, ingress=(policy_id,), egress=(policy_id,)),)
        endpoint = HostHostEndpoint(ifname=ifname, profiles=profiles, **tiers)
        self.compiler.update(HostEndpointUpdate(id=EndpointId("", f"h-{ifname}"), endpoint=endpoint))
        return self

    def _profile(self, name: str, *rules: HostRule) -> None:
        self.compiler.update(ProfileUpdate(name=name, profile=HostProfile(ingress=rules, egress=rules)))

    def passes(self, came: str, goes: str, **packet: Any) -> bool:
        self.ruleset = apply_flush(self.ruleset, self.compiler.flush())
        fields = {"source": OUTSIDE, "destination": POD, "protocol": TCP, "source_port": 4000, "destination_port": 80}
        return walk(self.ruleset, Packet(in_interface=came, out_interface=goes, **(fields | packet))).is_accepted


TO_HOST, FROM_HOST, THROUGH = ("eth0", ""), ("", "eth0"), ("eth0", "eth1")
FROM_POD, TO_POD = ("cali1", "eth0"), ("eth0", "cali1")


def test_without_policy_and_profile_local_traffic_is_denied_and_forwarded_traffic_allowed():
    host = Host().endpoint("eth0")
    assert [host.passes(*way) for way in (TO_HOST, FROM_HOST, THROUGH, FROM_POD, TO_POD)] == [False, False, *[True] * 3]


def test_but_for_failsafes():
    host = Host().endpoint("eth0")
    assert host.passes(*TO_HOST, destination_port=22)
    assert not host.passes(*TO_HOST, destination_port=23)
    assert host.passes(*FROM_HOST, destination_port=2379)
    assert not host.passes(*FROM_HOST, destination_port=22)


def test_profiles_count_for_local_traffic():
    host = Host().endpoint("eth0", profiles=("allow",))
    assert host.passes(*TO_HOST)
    assert host.passes(*FROM_HOST)


def test_other_interfaces_are_open():
    host = Host().endpoint("eth0")
    assert host.passes("eth1", "")
    assert host.passes("lo", "")
    assert host.passes("", "eth1")


# --- for all interfaces -----------------------------------------------------------------------------------------------------


def test_the_one_for_all_stands_for_interfaces_without_one_of_their_own_loopback_included():
    host = Host().endpoint("*").endpoint("eth1", profiles=("allow",))
    assert not host.passes("eth0", "")
    assert not host.passes("lo", "")
    assert not host.passes("", "lo")
    assert host.passes("eth1", "")


def test_its_normal_policy_does_not_judge_between_workloads_and_host():
    host = Host().endpoint("*", normal=(DENY,))
    assert host.passes("cali1", "")
    assert host.passes("", "cali1")
    assert host.passes("", "cali9"), "a workload that is not known yet"


def test_its_pre_dnat_policy_judges_workload_to_host():
    assert not Host().endpoint("*", pre_dnat=(DENY,)).passes("cali1", "")


def test_its_forward_policy_judges_workload_to_workload_and_outside():
    host = Host().endpoint("*", forward=(DENY,))
    assert not host.passes(*FROM_POD)
    assert not host.passes(*TO_POD)


def test_untracked_policy_for_all_interfaces_is_ignored():
    assert Host().endpoint("*", untracked=(DENY,), profiles=("allow",)).passes(*TO_HOST)


def test_an_interface_with_an_endpoint_of_its_own_is_not_judged_by_the_one_for_all():
    host = Host().endpoint("*", forward=(DENY,)).endpoint("eth0", profiles=("allow",))
    assert host.passes(*TO_HOST)
    assert host.passes("eth0", "eth0")
    assert not host.passes(*THROUGH), "eth1 has none"


def test_its_pre_dnat_policy_judges_what_comes_to_an_endpoint_that_has_none():
    both = Host().endpoint("*", pre_dnat=(DENY,)).endpoint("eth0", profiles=("allow",))
    assert not both.passes(*TO_HOST)
    own = Host().endpoint("*", pre_dnat=(DENY,)).endpoint("eth0", pre_dnat=(ALLOW,), profiles=("allow",))
    assert own.passes(*TO_HOST)


def test_pre_dnat_policy_never_sees_what_conntrack_calls_invalid():
    assert (
        not Host().endpoint("eth0", pre_dnat=(ALLOW,), profiles=("allow",)).passes(*TO_HOST, ct_state=CtState.INVALID)
    )


# --- forwarded traffic --------------------------------------------------------------------------------------------------------


def test_forward_policy_has_an_end_of_tier_deny_and_no_profiles():
    host = Host().endpoint("eth0", forward=(PORT_80,), profiles=("allow",))
    assert host.passes(*TO_POD)
    assert not host.passes(*TO_POD, destination_port=81)


def test_forward_policy_that_passes_allows():
    assert Host().endpoint("eth0", forward=(PASS,), profiles=("deny",)).passes(*TO_POD)


def test_forward_policy_judges_both_ways_at_the_interface_that_is_used():
    host = Host().endpoint("eth1", forward=(DENY,))
    assert not host.passes("eth0", "eth1")
    assert not host.passes("eth1", "eth0")
    assert host.passes("eth0", "eth2")


def test_an_invalid_packet_is_not_forwarded_over_it_even_without_forward_policy():
    host = Host().endpoint("eth0", profiles=("allow",))
    assert host.passes("eth0", "eth1")
    for way in (("eth0", "eth1"), ("eth1", "eth0")):
        assert not host.passes(*way, ct_state=CtState.INVALID)


def test_normal_policy_does_not_count_for_forwarded_traffic():
    assert Host().endpoint("eth0", normal=(DENY,)).passes(*TO_POD)


def test_failsafes_do_not_open_forward_policy():
    assert not Host().endpoint("eth0", forward=(DENY,)).passes(*TO_POD, destination_port=22)


# --- before DNAT, and untracked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", ["pre_dnat", "untracked"])
def test_neither_has_an_end_of_tier_deny(use):
    other = {use: (PORT_80,)}
    assert Host().endpoint("eth0", profiles=("allow",), **other).passes(*TO_HOST, destination_port=81)
    assert Host().endpoint("eth0", **other).passes(*TO_POD, destination_port=81)


@pytest.mark.parametrize("use", ["pre_dnat", "untracked"])
def test_an_allow_skips_the_normal_policy(use):
    host = Host().endpoint("eth0", normal=(DENY,), **{use: (PORT_80,)})
    assert host.passes(*TO_HOST)
    assert not host.passes(*TO_HOST, destination_port=81)


@pytest.mark.parametrize(("use", "expected"), [("pre_dnat", False), ("untracked", True)])
def test_an_allow_skips_forward_policy_only_if_untracked(use, expected):
    assert Host().endpoint("eth0", forward=(DENY,), **{use: (ALLOW,)}).passes(*TO_POD) is expected


def test_nor_does_a_pre_dnat_allow_where_untracked_policy_stands_as_well():
    """Loopback too, where what untracked policy has allowed may be tracked."""
    uses = {"untracked": (PASS,), "pre_dnat": (ALLOW,), "forward": (DENY,)}
    host = Host().endpoint("eth0", **uses).endpoint("lo", **uses)
    assert [host.passes(came, "eth1") for came in ("eth0", "lo")] == [False, False]


@pytest.mark.parametrize("use", ["pre_dnat", "untracked"])
def test_an_allow_never_skips_the_workloads_own_policy(use):
    host = Host().workload("deny").endpoint("eth0", **{use: (ALLOW,)})
    assert not host.passes(*TO_POD)


def test_an_untracked_allow_outwards_skips_the_normal_policy():
    assert Host().endpoint("eth0", normal=(DENY,), untracked=(ALLOW,)).passes(*FROM_HOST)


@pytest.mark.parametrize("use", ["pre_dnat", "untracked"])
def test_failsafes_are_open_there_for_forwarded_traffic_too(use):
    host = Host().endpoint("eth0", **{use: (DENY,)})
    assert host.passes(*TO_POD, destination_port=22)
    assert not host.passes(*TO_POD)


def test_untracked_the_answers_of_failsafes_are_let_through_as_well():
    host = Host().endpoint("eth0", profiles=("allow",), untracked=(DENY,))
    answer = {"source_port": 2379, "destination_port": 5000}
    assert host.passes(*TO_HOST, **answer)
    assert host.passes(*FROM_HOST, source_port=22, destination_port=5000)
    assert not host.passes(*TO_HOST, source_port=22, destination_port=5000)


@pytest.mark.parametrize(("other", "expected"), [("203.0.113.9", True), ("198.51.100.1", False)])
def test_the_network_of_a_failsafe_bounds_its_answers_too(other, expected):
    net = Network.parse("203.0.113.0/24")
    failsafes = {"failsafes_in": (Failsafe(TCP, 22, net),), "failsafes_out": (Failsafe(TCP, 53, net),)}
    host = Host(**failsafes).endpoint("eth0", profiles=("allow",), untracked=(DENY,))
    there, back = (
        {"source": OWN, "destination": Address.parse(other)},
        {"source": Address.parse(other), "destination": OWN},
    )
    assert host.passes(*FROM_HOST, **there, source_port=22, destination_port=5000) is expected
    assert host.passes(*FROM_HOST, **there, destination_port=53) is expected
    assert host.passes(*TO_HOST, **back, source_port=53, destination_port=5000) is expected
    assert host.passes(*TO_HOST, **back, destination_port=22) is expected


def test_what_is_allowed_untracked_is_exempt_from_connection_tracking():
    host = Host().endpoint("eth0", untracked=(ALLOW,))
    host.passes(*TO_HOST)
    packet = Packet(source=OUTSIDE, destination=OWN, protocol=TCP, in_interface="eth0", destination_port=80)
    assert walk(host.ruleset, packet).packet.ct_state is CtState.UNTRACKED


def test_an_untracked_deny_also_ends_what_is_established_and_pre_dnat_does_not():
    known = {"ct_state": CtState.ESTABLISHED}
    assert not Host().endpoint("eth0", untracked=(DENY,)).passes(*TO_HOST, **known)
    assert Host().endpoint("eth0", pre_dnat=(DENY,)).passes(*TO_HOST, **known)


# --- NAT ------------------------------------------------------------------------------------------------------------------------

TO_A_SERVICE = {"destination": SERVICE, "translation": Translation(BACKEND, 8080)}


@pytest.mark.parametrize("use", ["pre_dnat", "untracked"])
def test_before_dnat_policy_sees_the_service(use):
    assert not Host().endpoint("eth0", **{use: (TO_SERVICE,)}).passes(*TO_POD, **TO_A_SERVICE)
    assert Host().endpoint("eth0", **{use: (TO_BACKEND,)}).passes(*TO_POD, **TO_A_SERVICE)


def test_after_it_policy_sees_the_backend():
    assert Host().endpoint("eth0", forward=(TO_SERVICE, ALLOW)).passes(*TO_POD, **TO_A_SERVICE)
    assert not Host().endpoint("eth0", forward=(TO_BACKEND, ALLOW)).passes(*TO_POD, **TO_A_SERVICE)


def test_a_hosts_packet_to_a_service_is_judged_by_its_backend_and_its_real_interface():
    assert Host().endpoint("eth0", normal=(TO_SERVICE, ALLOW)).passes(*FROM_HOST, **TO_A_SERVICE)
    assert not Host().endpoint("eth0", normal=(TO_BACKEND, ALLOW)).passes(*FROM_HOST, **TO_A_SERVICE)
    assert Host().endpoint("eth0", normal=(DENY,)).passes("", "cali1", **TO_A_SERVICE)


def test_a_packet_that_waited_leaves_without_our_marks():
    host = Host().endpoint("eth0", normal=(ALLOW,))
    host.passes(*FROM_HOST)
    sent = Packet(source=OWN, destination=SERVICE, protocol=TCP, out_interface="eth0", translation=Translation(BACKEND))
    assert walk(host.ruleset, sent).packet.mark == 0


def test_a_mark_that_the_sender_sets_opens_nothing():
    for use in ("normal", "forward", "pre_dnat", "untracked"):
        host = Host().endpoint("eth0", **{use: (DENY,)})
        ways = (TO_HOST, FROM_HOST) if use == "normal" else (TO_POD,)
        assert not any(host.passes(*way, mark=0xFFFFFFFF) for way in ways), use


@pytest.mark.parametrize("priority", [-250, -200])
@pytest.mark.parametrize("use", ["pre_dnat", "untracked"])
def test_a_mark_that_others_set_before_our_policy_opens_nothing(use, priority):
    """Another table's chain between ours; ``accepted`` is what would skip the host endpoint's policy."""
    host = Host().endpoint("eth0", normal=(DENY,), **{use: (PORT_80,)})
    host.passes(*TO_HOST)
    setter = ChainReplace("others", (Rule((), (SetMark(0, 0xFFFFFFFF),)),), BaseChain(Hook.PREROUTING, priority))
    host.ruleset = apply(host.ruleset, (setter,))
    assert host.passes(*TO_HOST), "what policy allows"
    assert not host.passes(*TO_HOST, destination_port=81)


def test_what_a_host_sends_itself_is_tracked_already_and_skips_its_policy_all_the_same():
    host = Host().endpoint("lo", normal=(DENY,), untracked=(PORT_80,))
    assert host.passes("lo", "", is_tracked=True)
    assert not host.passes("lo", "", is_tracked=True, destination_port=81)


# --- stages ---------------------------------------------------------------------------------------------------------------------

ALWAYS = {"raw-pre", "fwd-2-wl-from", "fwd-3-wl-to", "inp-1-wl"}
STAGES = {
    "normal": {"raw-out", "fwd-1-host-in", "fwd-4-host-out", "inp-2-host", "out-1-host", "post-1-dnat"},
    "forward": set(),
    "untracked": set(),
    "pre_dnat": {"pre-dnat"},
}


def base_chains(host: Host) -> set[str]:
    host.passes(*TO_HOST)
    return {name for name, chain in host.ruleset.chains.items() if chain.base is not None}


@pytest.mark.parametrize("use", STAGES)
def test_a_stage_of_host_endpoints_stands_only_while_one_is_judged_there(use):
    host = Host()
    assert base_chains(host) == ALWAYS
    host.endpoint("eth0", **{use: (DENY,)})
    assert base_chains(host) == ALWAYS | STAGES["normal"] | STAGES[use]
    maps = set(host.ruleset.maps)
    host.compiler.update(HostEndpointRemove(id=EndpointId("", "h-eth0")))
    assert base_chains(host) == ALWAYS
    assert set(host.ruleset.maps) == {"wl-from", "wl-to"} < maps


def test_every_stage_has_a_priority_of_its_own():
    host = Host().endpoint("eth0", **dict.fromkeys(USES, (ALLOW,)))
    assert base_chains(host) == ALWAYS.union(*STAGES.values())
    places = [chain.base for chain in host.ruleset.chains.values() if chain.base is not None]
    assert len(set(places)) == len(places)


def test_notrack_is_only_reachable_from_raw_chains():
    """The kernel does not refuse it elsewhere."""
    host = Host().endpoint("eth0", **dict.fromkeys(USES, (ALLOW,))).endpoint("*", **dict.fromkeys(USES, (ALLOW,)))
    host.passes(*TO_HOST)
    holders = {name for name, chain in host.ruleset.chains.items() if "NoTrack" in repr(chain)}
    assert holders == {"gui-untracked-eth0", "guo-untracked-eth0"}
    users = {name for name, chain in host.ruleset.chains.items() for held in holders if f"'{held}'" in repr(chain)}
    assert all(name.startswith(("hui-", "huo-")) for name in users)


def test_network_of_a_failsafe_bounds_who_may_use_it():
    host = Host(failsafes_in=(Failsafe(TCP, 22, Network.parse("203.0.113.0/24")),)).endpoint("eth0")
    assert host.passes(*TO_HOST, destination_port=22)
    assert not host.passes(*TO_HOST, destination_port=22, source=Address.parse("198.51.100.1"))
