"""polprog.json: rules as one host holds them, through the compiler, and packets through what it makes, in every compilation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hostrules
import pytest
from vectortables import Case, Judge, Mismatch

from tortie.calc.hoststate import (
    EndpointId,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostProfile,
    HostRule,
    HostWorkloadEndpoint,
    IPSetUpdate,
    PolicyUpdate,
    ProfileUpdate,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import ICMP, ICMPV6, Address, Family, Protocol
from tortie.ruleset import Compiler, Options, Packet, Ruleset, apply_flush, initial, walk
from tortie.ruleset.interpreter import Translation
from tortie.ruleset.options import Compilation
from tortie.ruleset.values import CtState

UPLINK, WORKLOAD, OTHER = "eth0", "cali1", "eth1"
OPEN = "open"

USES = {
    "Tiers": "tiers",
    "HostNormalTiers": "tiers",
    "HostForwardTiers": "forward_tiers",
    "HostPreDnatTiers": "pre_dnat_tiers",
}
FLAGS = {"ForHostInterface", "ForXDP"}
PROFILES = {"Profiles", "HostProfiles"}


@pytest.mark.parametrize("compilation", Compilation)
def test_policy_programs(compilation: Compilation, run_table: Callable[[str, Judge], None]) -> None:
    run_table("polprog.json", lambda case: judge(case, compilation))


def judge(case: Case, compilation: Compilation) -> None:
    ruleset = compiled(case, compilation)
    wrong = []
    for packet in case["packets"]:
        found = verdict(ruleset, walked(case, packet), untracked=bool(case["rules"].get("ForXDP")))
        if found != packet["verdict"]:
            wrong.append(f"{packet}: {found}")
    if wrong:
        raise Mismatch("; ".join(wrong))


def compiled(case: Case, compilation: Compilation) -> Ruleset:
    """A workload, or a host's uplink; what a case about a workload says of hosts is a host endpoint for all interfaces."""
    options = Options(compilation=compilation, failsafes_in=(), failsafes_out=())
    compiler = Compiler(options)
    for name, given in case["ipsets"].items():
        set_id, members = hostrules.members(name, given)
        compiler.update(IPSetUpdate(id=set_id, members=members))
    rules = case["rules"]
    uses: dict[str, Any] = {}
    for name in sorted(rules.keys() - FLAGS - PROFILES):
        use = "untracked_tiers" if rules.get("ForXDP") and name == "HostNormalTiers" else USES[name]
        found, policies = hostrules.tiers(rules[name], name.lower())
        uses.setdefault("workload" if name == "Tiers" else "host", {})[use] = found
        for policy_id, policy in policies.items():
            compiler.update(PolicyUpdate(id=policy_id, policy=policy))
    profiles = {field: _profiles(compiler, rules.get(field, ())) for field in PROFILES}
    if rules.get("ForHostInterface") or "host" in uses:
        names = (*profiles["HostProfiles"], *_open(compiler, rules))
        ifname = UPLINK if rules.get("ForHostInterface") else "*"
        endpoint = HostHostEndpoint(ifname=ifname, profiles=names, **uses.get("host", {}))
        compiler.update(HostEndpointUpdate(id=EndpointId("", "h"), endpoint=endpoint))
    if not rules.get("ForHostInterface"):
        workload = HostWorkloadEndpoint(ifname=WORKLOAD, profiles=profiles["Profiles"], **uses.get("workload", {}))
        compiler.update(WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=workload))
    return apply_flush(apply_flush(Ruleset(), initial(options)), compiler.flush())


def _profiles(compiler: Compiler, given: list[dict[str, Any]]) -> tuple[str, ...]:
    for profile in given:
        rules = tuple(hostrules.host_rule(rule) for rule in profile.get("Rules", ()))
        compiler.update(ProfileUpdate(name=profile["Name"], profile=HostProfile(ingress=rules, egress=rules)))
    return tuple(profile["Name"] for profile in given)


def _open(compiler: Compiler, rules: dict[str, Any]) -> tuple[str, ...]:
    """Where untracked policy alone is asked about, all else lets everything through."""
    if not rules.get("ForXDP"):
        return ()
    compiler.update(ProfileUpdate(name=OPEN, profile=HostProfile(ingress=(ALLOW,), egress=(ALLOW,))))
    return (OPEN,)


ALLOW = HostRule(action=Action.ALLOW)


def walked(case: Case, given: dict[str, Any]) -> Packet:
    """To the workload of a case about one, else from the uplink through the host or to it; ICMP has protocol 1 in IPv6 too."""
    source = Address.parse(given["src"])
    protocol = Protocol(given["proto"])
    if protocol == ICMP and source.family is Family.V6:
        protocol = ICMPV6
    to_host = given.get("to_host", False) or case["rules"].get("ForXDP", False)
    through = OTHER if case["rules"].get("ForHostInterface") else WORKLOAD
    before = given.get("pre_dnat_dst")
    return Packet(
        source=source,
        destination=Address.parse(before or given["dst"]),
        protocol=protocol,
        in_interface=UPLINK,
        out_interface="" if to_host else through,
        source_port=given["sport"] if protocol.has_ports else None,
        destination_port=(given["pre_dnat_dport"] if before else given["dport"]) if protocol.has_ports else None,
        icmp_type=given.get("icmp_type"),
        icmp_code=given.get("icmp_code"),
        translation=Translation(Address.parse(given["dst"]), given["dport"]) if before else None,
    )


def verdict(ruleset: Ruleset, packet: Packet, *, untracked: bool) -> str:
    """What untracked policy does not decide goes on; what it allows is no longer tracked."""
    outcome = walk(ruleset, packet)
    if not outcome.is_accepted:
        return "deny"
    if untracked and outcome.packet.ct_state is not CtState.UNTRACKED:
        return "no match"
    return "allow"
