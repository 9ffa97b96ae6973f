"""What a small change costs in a table of 2,000 sets and 2,000 chains: the driver beside ``nft -f`` (DESIGN, Numbers).

Then the same of 2,000 policies compiled into runs of tuple sets: from the member, or the rule, to the kernel's acknowledgement.

    python bench/nft_update.py [COUNT]

Each round changes one member of a set, replaces one chain, and points one interface at another chain: once through the
driver (stage, plan, apply, to the kernel's acknowledgement) and once through a fresh ``nft -f -`` with the same effect. Runs
in user and network namespaces of its own, so it needs no root and leaves nothing. Exit status 1 if a bar is missed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import NamedTuple

from tortie.calc.hoststate import HostRule, IPSetDelta, IPSetId, IPSetUpdate, PeerMatch, PolicyId, PortRange
from tortie.dataplane.nft import NftDriver
from tortie.lab.namespaces import CLONE_NEWNET, CLONE_NEWUSER, unshare
from tortie.model.policy import Action, Direction
from tortie.net import TCP, Address, Family
from tortie.ruleset.group import GroupStage
from tortie.ruleset.options import Options
from tortie.ruleset.places import Kind
from tortie.ruleset.runs import RunsGroup
from tortie.ruleset.sets import SetTable
from tortie.ruleset.values import (
    Accept,
    BaseChain,
    ChainReplace,
    Dispatch,
    Flush,
    Hook,
    Interface,
    Jump,
    MapCreate,
    MapDelta,
    PortsMatch,
    ProtocolMatch,
    Range,
    Rule,
    SetCreate,
    SetDeclaration,
    SetDelta,
    SetMatch,
    SetType,
    Side,
)
from tortie.testing.groups import tell, with_sets
from tortie.testing.hosts import program

COUNT = 2_000
MEMBERS = 50
DRIVER_ROUNDS, NFT_ROUNDS = 500, 10
DENIALS = 5
BAR_MEMBER_P50_US, BAR_MEMBER_P99_US = 500.0, 5_000.0
FIRST = Address.parse("10.0.0.0")


class Change(NamedTuple):
    """One change, for the driver and as text for nft."""

    flush: Flush
    text: str


def policy(i: int, port: int) -> ChainReplace:
    """Chain i: set i may come in on a port."""
    matches = (
        SetMatch(Side.SOURCE, Family.V4, f"s{i}"),
        ProtocolMatch(TCP),
        PortsMatch(Side.DESTINATION, (Range(port, port),)),
    )
    return ChainReplace(f"p{i}", (Rule(matches, (Accept(),), f"default.policy-{i}|0"),))


def whole(count: int) -> Flush:
    """*count* sets, each with a chain that looks it up, one class chain that goes through all, 100 interfaces."""
    sets = (
        SetCreate(
            SetDeclaration(f"s{i}", Family.V4, SetType.ADDRESS), frozenset(FIRST + (i * 7 + j) for j in range(MEMBERS))
        )
        for i in range(count)
    )
    chains = (policy(i, 1000) for i in range(count))
    classes = (ChainReplace(name, tuple(Rule((), (Jump(f"p{i}"),)) for i in range(count))) for name in ("ei-1", "ei-2"))
    entries = tuple(sorted((f"cali{i}", "ei-1") for i in range(100)))
    stage = ChainReplace("stage", (Rule((), (Dispatch(Interface.OUT, "wl-to"),)),), BaseChain(Hook.FORWARD, -2))
    return Flush((*sets, *chains, *classes, MapCreate("wl-to", entries)), (stage,), ())


def member_changes(count: int) -> Iterator[Change]:
    for i in range(DRIVER_ROUNDS):
        name, address = f"s{i * 37 % count}", FIRST + (1 << 20) + i
        yield Change(
            Flush((SetDelta(name, frozenset({address})),), (), ()), f"add element inet tortie {name} {{ {address} }}"
        )


def chain_changes(count: int) -> Iterator[Change]:
    for i in range(DRIVER_ROUNDS):
        number, port = i * 41 % count, 2000 + i
        rule = f'ip saddr @s{number} tcp dport {port} accept comment "default.policy-{number}|0"'
        text = f"flush chain inet tortie p{number}; add rule inet tortie p{number} {rule}"
        yield Change(Flush((), (policy(number, port),), ()), text)


def dispatch_changes() -> Iterator[Change]:
    for i in range(DRIVER_ROUNDS):
        ifname, chain = f"cali{i % 100}", "ei-2" if i // 100 % 2 == 0 else "ei-1"
        was = "ei-1" if chain == "ei-2" else "ei-2"
        element = f'delete element inet tortie wl-to {{ "{ifname}" : jump {was} }}; '
        text = element + f'add element inet tortie wl-to {{ "{ifname}" : jump {chain} }}'
        yield Change(Flush((), (MapDelta("wl-to", ((ifname, chain),)),), ()), text)


def run_nft(text: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True, capture_output=True)


def timed(action: Callable[[], None]) -> float:
    """Microseconds."""
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1e6


def measure(driver: NftDriver, title: str, changes: Iterator[Change]) -> tuple[float, float]:
    """Print a line for one kind of change; the driver's p50 and p99."""
    every = list(changes)
    fork_nft = [timed(partial(run_nft, change.text)) for change in every[:NFT_ROUNDS]]
    program(driver, Flush((), (), ()))
    driver.read_back()  # what nft did is undone by the first plan
    program(driver, Flush((), (), ()))
    ours = sorted(timed(partial(program, driver, change.flush)) for change in every)
    p50, p99 = statistics.median(ours), ours[int(len(ours) * 0.99)]
    theirs = statistics.median(fork_nft)
    print(f"{title:24} {p50:8.0f} µs p50 {p99:8.0f} µs p99   nft -f {theirs:10.0f} µs   {theirs / p50:7.0f} x")
    return p50, p99


class Policies:
    """A group of policies in the kernel, each of which allows a set of addresses to a port; some deny."""

    def __init__(self, count: int, denied: float) -> None:
        self._count = count
        self._driver = NftDriver()
        self._sets = SetTable()
        options = Options()
        self._group = RunsGroup("gi-bench_runs", GroupStage(Direction.INGRESS, Kind.FILTER, self._sets, options))
        rng = Random(count)
        for i in range(count):
            members = frozenset((FIRST + (i * 7 + j)).network() for j in range(MEMBERS))
            self._sets.update(IPSetUpdate(id=self._set_id(i), members=members))
        self._group.place([self._policy(i) for i in range(count)])
        for i in range(count):
            self.set_rule(i, 1000 + i, Action.DENY if rng.random() < denied else Action.ALLOW)
        self.flush()
        jump = ChainReplace("stage", (Rule((), (Jump(self._group.chain),)),), BaseChain(Hook.FORWARD, -2))
        program(self._driver, Flush((), (jump,), ()))

    def member_comes(self, i: int) -> None:
        set_id = self._set_id(i * 37 % self._count)
        added = frozenset({(FIRST + (1 << 20) + i).network()})
        tell(self._sets, IPSetDelta(id=set_id, added=added))
        self.flush()

    def rule_changes(self, i: int) -> None:
        self.set_rule(i * 41 % self._count, 20_000 + i, Action.ALLOW)
        self.flush()

    def denial_comes(self, i: int) -> None:
        """A rule in the middle denies a set of addresses every port: what comes after it moves to another run."""
        rule = HostRule(action=Action.DENY, source=PeerMatch(sets=(self._set_id(i),)))
        self._group.set_rules(self._policy(self._count // 2 + i), (rule,))
        self.flush()

    def set_rule(self, i: int, port: int, action: Action) -> None:
        peers = PeerMatch(sets=(self._set_id(i),)), PeerMatch(ports=(PortRange(port, port),))
        rule = HostRule(action=action, protocol=TCP, source=peers[0], destination=peers[1])
        self._group.set_rules(self._policy(i), (rule,))

    def flush(self) -> None:
        program(self._driver, with_sets(self._group.flush(), self._sets))

    def _set_id(self, i: int) -> IPSetId:
        return IPSetId(f"s:{i}")

    def _policy(self, i: int) -> PolicyId:
        return PolicyId("NetworkPolicy", "default", f"policy-{i}")


def measure_runs(count: int, denied: float) -> float:
    """Print what changes of a group of policies cost; the p50 of a member's in microseconds."""
    begun = time.perf_counter()
    policies = Policies(count, denied)
    print(
        f"{count} policies in runs, {denied:.0%} deny: compiled and programmed in {time.perf_counter() - begun:.2f} s"
    )
    p50 = 0.0
    changes = (
        ("one member comes", policies.member_comes, DRIVER_ROUNDS),
        ("one rule changes", policies.rule_changes, DRIVER_ROUNDS),
        ("one denies all in between", policies.denial_comes, DENIALS),
    )
    for title, change, rounds in changes:
        took = sorted(timed(partial(change, i)) for i in range(rounds))
        print(f"{title:24} {statistics.median(took):8.0f} µs p50 {took[int(len(took) * 0.99)]:8.0f} µs p99")
        p50 = p50 or statistics.median(took)
    return p50


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    unshare(CLONE_NEWNET if os.getuid() == 0 else CLONE_NEWUSER | CLONE_NEWNET)
    driver = NftDriver()
    created = whole(count)
    print(
        f"{count} sets of {MEMBERS} members, {count} chains: programmed in {timed(lambda: program(driver, created)) / 1e6:.2f} s"
    )
    begun = time.perf_counter()
    with NftDriver() as restarted:
        restarted.stage(created)
        differs = len(restarted.plan())
    print(f"read back and compared in {time.perf_counter() - begun:.2f} s, {differs} batches to send")
    p50, p99 = measure(driver, "one member comes", member_changes(count))
    measure(driver, "one chain replaced", chain_changes(count))
    measure(driver, "one interface moved", dispatch_changes())
    in_runs = max(measure_runs(count, denied) for denied in (0.0, 0.1))
    return int(differs != 0 or max(p50, in_runs) > BAR_MEMBER_P50_US or p99 > BAR_MEMBER_P99_US)


if __name__ == "__main__":
    sys.exit(main())
