"""What a rule with action Log writes: the prefix of the settings with its specifiers, no longer and no more often than they say."""

from __future__ import annotations

import pytest

from tortie.analysis.hostmodel import RulesetModel
from tortie.calc.hoststate import (
    EndpointId,
    HostPolicy,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
    ProfileUpdate,
    TierPolicies,
    TiersUpdate,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import TCP, Address, Network
from tortie.ruleset import Options, Packet, walk
from tortie.ruleset.options import Compilation, LogRate
from tortie.ruleset.values import LogLimit, LogPacket

LOG, PASS = HostRule(action=Action.LOG), HostRule(action=Action.PASS)
NP, GNP = PolicyId("NetworkPolicy", "shop", "web"), PolicyId("GlobalNetworkPolicy", "", "base")
W = EndpointId("shop", "w")
BOTH = [Compilation.LINEAR, Compilation.RUNS]


def tiers(first: str = "security") -> tuple[TierPolicies, ...]:
    return (
        TierPolicies(name=first, default_action="Pass", ingress=(GNP,)),
        TierPolicies(name="default", default_action="Pass", ingress=(NP,)),
    )


def deltas(rule: HostRule = LOG) -> list[HostStateDelta]:
    """A workload under two policies and a profile, all of which log."""
    endpoint = HostWorkloadEndpoint(ifname="cali1", tiers=tiers(), profiles=("kns.shop",))
    return [
        PolicyUpdate(id=GNP, policy=HostPolicy(tier="security", ingress=(rule, PASS))),
        PolicyUpdate(id=NP, policy=HostPolicy(tier="default", ingress=(rule, PASS))),
        ProfileUpdate(name="kns.shop", profile=HostProfile(ingress=(rule, HostRule(action=Action.ALLOW)))),
        WorkloadEndpointUpdate(id=W, endpoint=endpoint),
    ]


class Host(RulesetModel):
    def __init__(self, options: Options, *deltas: HostStateDelta) -> None:
        super().__init__()
        self.begin(options)
        self.take(deltas)

    def logged(self) -> tuple[str, ...]:
        source, destination = Address.parse("203.0.113.9"), Address.parse("10.0.0.1")
        packet = Packet(
            source=source, destination=destination, protocol=TCP, source_port=4000, destination_port=80,
            in_interface="eth0", out_interface="cali1",
        )  # fmt: skip
        outcome = walk(self.ruleset, packet)
        assert outcome.is_accepted
        return outcome.logged

    def statements(self) -> set[LogPacket]:
        return {
            statement
            for chain in self.ruleset.chains.values()
            for rule in chain.rules
            for statement in rule.statements
            if isinstance(statement, LogPacket)
        }


PREFIXES = {
    "as by default": (Options().log_prefix, ["calico-packet: "] * 3),
    "without specifiers": ("seen", ["seen: "] * 3),
    "the tier; a profile is in none": ("%t", ["security: ", "default: ", ": "]),
    "the kind, in short": ("%k", ["gnp: ", "np: ", "pro: "]),
    "the name": ("%n", ["base: ", "web: ", "kns.shop: "]),
    "the namespace too": ("%p", ["base: ", "shop/web: ", "kns.shop: "]),
    "several, in a text": (
        "a%n%%t %k %p",
        ["abase%security gnp base: ", "aweb%default np shop/web: ", "akns.shop% pro kns.shop: "],
    ),
    "what is no specifier": ("%x%", ["%x%: "] * 3),
    "cut at what the kernel takes": ("x" * 200, ["x" * 125 + ": "] * 3),
    "cut between characters": ("x" + "ä" * 100, ["x" + "ä" * 62 + ": "] * 3),
}


@pytest.mark.parametrize("compilation", BOTH)
@pytest.mark.parametrize("case", PREFIXES)
def test_the_prefix_tells_whose_rule_it_is(case: str, compilation: Compilation) -> None:
    prefix, expected = PREFIXES[case]
    host = Host(Options(log_prefix=prefix, compilation=compilation), *deltas())
    assert list(host.logged()) == expected
    assert all(len(text.encode()) <= 127 for text in host.logged())


@pytest.mark.parametrize("compilation", BOTH)
def test_rules_about_addresses_log_their_own_prefix_too(compilation: Compilation) -> None:
    rule = HostRule(action=Action.LOG, source=PeerMatch(nets=(Network.parse("203.0.113.0/24"),)))
    host = Host(Options(log_prefix="%p", compilation=compilation), *deltas(rule))
    assert host.logged() == ("base: ", "shop/web: ", "kns.shop: ")


@pytest.mark.parametrize("compilation", BOTH)
def test_a_policy_that_goes_to_another_tier_logs_that(compilation: Compilation) -> None:
    host = Host(Options(log_prefix="%t/%n", compilation=compilation), *deltas())
    moved = PolicyUpdate(id=GNP, policy=HostPolicy(tier="platform", ingress=(LOG, PASS)))
    host.take([moved, TiersUpdate(endpoints=(W,), tiers=tiers("platform"))])
    assert host.logged()[0] == "platform/base: "


@pytest.mark.parametrize("compilation", BOTH)
def test_a_limit_is_each_rules_own(compilation: Compilation) -> None:
    options = Options(log_rate=LogRate(10, 60), log_burst=7, compilation=compilation)
    host = Host(options, *deltas())
    assert host.statements() == {LogPacket("calico-packet: ", LogLimit(10, 60, 7))}
    assert len(host.logged()) == 3
