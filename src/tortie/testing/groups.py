"""A group of policies by itself behind a base chain, and its judge: the first rule of a list that matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import NamedTuple

import msgspec

from tortie.calc.hoststate import (
    HostRule,
    ICMPMatch,
    IPSetDelta,
    IPSetId,
    IPSetUpdate,
    Member,
    PeerMatch,
    PolicyId,
    PortRange,
)
from tortie.model.policy import Action, Direction
from tortie.net import ICMP, ICMPV6, SCTP, TCP, UDP, Family, Protocol
from tortie.ruleset.group import GroupStage
from tortie.ruleset.interpreter import Outcome, Packet, Path, walk
from tortie.ruleset.marks import has_bit
from tortie.ruleset.options import Options
from tortie.ruleset.places import Kind
from tortie.ruleset.ruleset import Ruleset, apply
from tortie.ruleset.runs import ALWAYS, CostModel, RunsGroup
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import (
    BaseChain,
    ChainReplace,
    CtState,
    Drop,
    Flush,
    Hook,
    Jump,
    Rule,
    SetDelta,
)
from tortie.testing.hostrules import (
    ADDRESS_SETS,
    ADDRESSES,
    NETS,
    PORT_SETS,
    matches,
    random_packet,
    random_rule,
    random_sets,
)

PASSED, TAIL = "passed", "tail"
OPTIONS = Options()


class Fate(NamedTuple):
    """What becomes of a packet: the action that decides it, None for none, and whether it was logged."""

    action: Action | None
    is_logged: bool


class GroupState(NamedTuple):
    """What a group is to enforce: policies in order with their rules, and the members of all sets."""

    policies: Mapping[PolicyId, tuple[HostRule, ...]]
    sets: Mapping[IPSetId, frozenset[Member]]

    def fate(self, packet: Packet) -> Fate:
        is_logged = False
        for rule in (rule for rules in self.policies.values() for rule in rules):
            if matches(self.sets, rule, packet):
                if rule.action is not Action.LOG:
                    return Fate(rule.action, is_logged)
                is_logged = True
        return Fate(None, is_logged)


def tell(sets: SetTable, delta: IPSetDelta | IPSetUpdate) -> None:
    """Take in a change of a set, and pass it on to the groups that look at it."""
    change = sets.update(delta)
    for group in sets.listeners(delta.id):
        group.members_changed(change)


def with_sets(flush: Flush, sets: SetTable) -> Flush:
    """A group's flush with the kernel sets that its rules look up."""
    changes = sets.flush()
    return Flush(
        create=(*changes.created, *flush.create),
        switch=(*changes.hashes, *changes.intervals, *flush.switch),
        delete=(*flush.delete, *changes.deleted),
    )


class GroupHost:
    """A group with the ruleset that its flushes make, behind a base chain that tells how it ended."""

    def __init__(self, cost: CostModel = ALWAYS, direction: Direction = Direction.INGRESS) -> None:
        self.sets = SetTable()
        self.group = RunsGroup("gi-default_test", GroupStage(direction, Kind.FILTER, self.sets, OPTIONS), cost)
        self.state = GroupState({}, {})
        self.ruleset = Ruleset()
        self.flush()
        passed = Rule((has_bit(OPTIONS.marks.passed),), (Drop(),), PASSED)
        rules = (Rule((), (Jump(self.group.chain),)), passed, Rule((), (Drop(),), TAIL))
        self.ruleset = apply(self.ruleset, [ChainReplace("stage", rules, BaseChain(Hook.FORWARD, 0))])

    def change(self, state: GroupState) -> None:
        """Tell the group what it is to be from now on."""
        for set_id in state.sets:
            before, now = self.state.sets.get(set_id), state.sets[set_id]
            if before is None:
                tell(self.sets, IPSetUpdate(id=set_id, members=now))
            elif before != now:
                tell(self.sets, IPSetDelta(id=set_id, added=now - before, removed=before - now))
        self.group.place(tuple(state.policies))
        for policy_id, rules in state.policies.items():
            if rules != self.state.policies.get(policy_id):
                self.group.set_rules(policy_id, rules)
        self.state = state

    def steps(self) -> Flush:
        """What leads to what it is to be, with the sets that its rules look up."""
        return with_sets(self.group.flush(), self.sets)

    def close(self) -> Flush:
        return with_sets(self.group.close(), self.sets)

    def flush(self, state: GroupState | None = None) -> Flush:
        if state is not None:
            self.change(state)
        flush = self.steps()
        for step in flush:
            self.ruleset = apply(self.ruleset, step)
        return flush

    def fate(self, packet: Packet) -> Fate:
        return fate(self.ruleset, packet)

    def keys(self) -> int:
        return sum(len(of.elements) for name, of in self.ruleset.sets.items() if name.startswith("gi-"))


def fate(ruleset: Ruleset, packet: Packet) -> Fate:
    outcome = walk(ruleset, packet, Path.FORWARD)
    return Fate(_action(outcome), bool(outcome.logged))


def _action(outcome: Outcome) -> Action | None:
    if outcome.is_accepted:
        return Action.ALLOW
    assert outcome.rule is not None
    return {PASSED: Action.PASS, TAIL: None}.get(outcome.rule.comment, Action.DENY)


def elements(deltas: Iterable[object]) -> int:
    """How many elements of sets that stand come and go."""
    return sum(len(delta.added) + len(delta.removed) for delta in deltas if isinstance(delta, SetDelta))


# --- random lists -------------------------------------------------------------------------------------------------------------


POLICIES = tuple(PolicyId("NetworkPolicy", "ns", name) for name in "abcdefgh")
_RANGES = (PortRange(80, 80), PortRange(80, 81), PortRange(443, 443), PortRange(81, 500))
_HOSTS = tuple(address.network() for address in ADDRESSES)


def random_simple_rule(rng: Random, actions: tuple[Action, ...]) -> HostRule:
    """Such as becomes tuples, mostly: one set or some nets of either end, a protocol, ports."""
    protocol = rng.choice((None, TCP, TCP, UDP, SCTP, ICMP, ICMPV6, Protocol(47)))
    numbered = protocol is not None and protocol.has_ports and rng.random() < 0.7
    peer = rng.choice(
        (
            PeerMatch(),
            PeerMatch(sets=(rng.choice(ADDRESS_SETS),)),
            PeerMatch(sets=(rng.choice(ADDRESS_SETS),)),
            PeerMatch(nets=tuple(rng.sample(_HOSTS, 2))),
            PeerMatch(nets=tuple(rng.sample(NETS, 2))),
        )
    )
    ports = PeerMatch(ports=tuple(rng.sample(_RANGES, rng.randint(1, 2)))) if numbered else PeerMatch()
    if protocol in (None, TCP, UDP) and rng.random() < 0.3:
        ports = PeerMatch(ports=ports.ports, port_sets=(rng.choice(PORT_SETS),))
    is_egress = rng.random() < 0.3
    both = PeerMatch(nets=peer.nets, sets=peer.sets, ports=ports.ports, port_sets=ports.port_sets)
    return HostRule(
        action=rng.choice(actions),
        family=rng.choice((None, None, None, *Family)),
        protocol=protocol,
        icmp=rng.choice((None, ICMPMatch(8, None), ICMPMatch(128, None))) if protocol in (ICMP, ICMPV6) else None,
        source=PeerMatch() if is_egress else peer,
        destination=both if is_egress else ports,
    )


def random_rules(rng: Random, actions: tuple[Action, ...]) -> tuple[HostRule, ...]:
    return tuple(
        random_rule(rng) if rng.random() < 0.15 else random_simple_rule(rng, actions) for _ in range(rng.randint(0, 4))
    )


ACTIONS = (
    (Action.ALLOW,),
    (Action.ALLOW, Action.ALLOW, Action.ALLOW, Action.DENY),
    (Action.ALLOW, Action.DENY, Action.PASS),
    tuple(Action),
)


def random_state(rng: Random) -> GroupState:
    actions = rng.choice(ACTIONS)
    order = rng.sample(POLICIES, rng.randint(1, len(POLICIES)))
    return GroupState({policy_id: random_rules(rng, actions) for policy_id in order}, random_sets(rng))


def changed_state(rng: Random, state: GroupState) -> GroupState:
    """*state* after a change or two."""
    policies, sets, actions = dict(state.policies), dict(state.sets), rng.choice(ACTIONS)
    for _ in range(rng.choice((1, 1, 2, 3))):
        match rng.choice(("rules", "rule", "rule", "members", "members", "order", "come", "go")):
            case "rules" if policies:
                policies[rng.choice(sorted(policies))] = random_rules(rng, actions)
            case "rule" if policies:
                policy_id = rng.choice(sorted(policies))
                policies[policy_id] = _with_one_changed(rng, policies[policy_id], actions)
            case "members":
                set_id = rng.choice(sorted(sets))
                other = random_sets(rng)[set_id]
                sets[set_id] = other if rng.random() < 0.3 else _nudged(rng, sets[set_id], other)
            case "order" if policies:
                items = list(policies.items())
                items.insert(rng.randrange(len(items)), items.pop(rng.randrange(len(items))))
                policies = dict(items)
            case "come" if len(policies) < len(POLICIES):
                items = list(policies.items())
                new = rng.choice([policy_id for policy_id in POLICIES if policy_id not in policies])
                items.insert(rng.randint(0, len(items)), (new, random_rules(rng, actions)))
                policies = dict(items)
            case "go" if policies:
                del policies[rng.choice(sorted(policies))]
    return GroupState(policies, sets)


def _with_one_changed(rng: Random, rules: tuple[HostRule, ...], actions: tuple[Action, ...]) -> tuple[HostRule, ...]:
    """A rule more, fewer, or another in its place."""
    at = rng.randint(0, len(rules))
    new = rng.choice(((), (random_simple_rule(rng, actions),)))
    return (*rules[:at], *new, *rules[at + rng.choice((0, 1)) :])


def _nudged(rng: Random, members: frozenset[Member], other: frozenset[Member]) -> frozenset[Member]:
    """One member more, or fewer."""
    candidates = sorted(members | other, key=str)
    return members ^ {rng.choice(candidates)} if candidates else members


def random_packets(rng: Random, count: int) -> list[Packet]:
    """New packets without our marks: a base chain clears them before a group is asked."""
    found = (random_packet(rng, ("eth0",)) for _ in range(count))
    return [msgspec.structs.replace(packet, ct_state=CtState.NEW, mark=0) for packet in found]
