"""What a change costs the compiler of rulesets, from a delta of calc to the deltas for the kernel.

One class of 100 endpoints under N policies of one tier, each of which allows its own set of 10 addresses to its own port. The
changes: a member of a set; a policy's rule; a policy added in the middle and taken away again; an endpoint that comes and
goes; an endpoint that is governed by one policy fewer, and back. p50 and p99 in ms, and what the group table alone takes for
the policy that comes and goes.

    python bench/ruleset.py [N…]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from tortie.calc.hoststate import (
    EndpointId,
    HostPolicy,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    IPSetDelta,
    IPSetId,
    IPSetUpdate,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
    PortRange,
    TierPolicies,
    TiersUpdate,
    WorkloadEndpointRemove,
    WorkloadEndpointUpdate,
)
from tortie.model.policy import Action
from tortie.net import TCP, Address, Network
from tortie.ruleset import Compiler, Options
from tortie.ruleset.grouping import Grouping
from tortie.ruleset.options import Compilation

ENDPOINTS = 100
ROUNDS = 100


def policy(number: int) -> PolicyUpdate:
    return rule_of(number, number % 60_000 + 1)


def rule_of(number: int, port: int) -> PolicyUpdate:
    rule = HostRule(
        action=Action.ALLOW,
        protocol=TCP,
        source=PeerMatch(sets=(IPSetId(f"s:{number}"),)),
        destination=PeerMatch(ports=(PortRange(port, port),)),
    )
    return PolicyUpdate(id=policy_id(number), policy=HostPolicy(tier="default", ingress=(rule,)))


def policy_id(number: int) -> PolicyId:
    return PolicyId("NetworkPolicy", "ns", f"policy-{number:05}")


def address(number: int) -> Network:
    return Address((0x0A000000 + number).to_bytes(4, "big")).network()


def endpoint(number: int, tiers: tuple[TierPolicies, ...]) -> WorkloadEndpointUpdate:
    return WorkloadEndpointUpdate(
        id=EndpointId("ns", f"w{number}"), endpoint=HostWorkloadEndpoint(ifname=f"cali{number}", tiers=tiers)
    )


def tiers(ids: tuple[PolicyId, ...]) -> tuple[TierPolicies, ...]:
    return (TierPolicies(name="default", default_action="Deny", ingress=ids),)


def timed(
    compiler: Compiler, there: Callable[[int], list[HostStateDelta]], back: Callable[[int], list[HostStateDelta]]
) -> str:
    """p50 and p99 of the change and of taking it back."""
    spent = []
    for number in range(ROUNDS):
        for make in (there, back):
            deltas = make(number)
            begun = time.perf_counter()
            for delta in deltas:
                compiler.update(delta)
            compiler.flush()
            spent.append(time.perf_counter() - begun)
    return formatted(spent)


def formatted(spent: list[float]) -> str:
    cuts = statistics.quantiles(spent, n=100)
    return f"{cuts[49] * 1e3:8.3f} {cuts[98] * 1e3:8.3f}"


def table(count: int, compilation: Compilation) -> None:
    ids = tuple(policy_id(number) for number in range(count))
    spare = policy_id(count)
    whole = tiers(ids)
    compiler = Compiler(Options(compilation=compilation))
    begun = time.perf_counter()
    for number in range(count + 1):
        members = frozenset(address(number * 10 + each) for each in range(10))
        compiler.update(IPSetUpdate(id=IPSetId(f"s:{number}"), members=members))
        compiler.update(policy(number))
    for number in range(ENDPOINTS):
        compiler.update(endpoint(number, whole))
    compiler.flush()
    print(f"{count:>7} {compilation:<7} {'from nothing':<28} {time.perf_counter() - begun:8.3f} s")
    everyone = tuple(EndpointId("ns", f"w{number}") for number in range(ENDPOINTS))
    new, middle = address(9_000_000), count // 2
    added = tiers((*ids[:middle], spare, *ids[middle:]))
    fewer = tiers((*ids[:middle], *ids[middle + 1 :]))

    def at(number: int) -> int:
        return number * 7 % count

    changes: dict[str, tuple[Callable[[int], list[HostStateDelta]], Callable[[int], list[HostStateDelta]]]] = {
        "a member": (
            lambda n: [IPSetDelta(id=IPSetId(f"s:{at(n)}"), added=frozenset({new}))],
            lambda n: [IPSetDelta(id=IPSetId(f"s:{at(n)}"), removed=frozenset({new}))],
        ),
        "a policy's rule": (lambda n: [rule_of(at(n), 61_000)], lambda n: [policy(at(n))]),
        "a policy, all endpoints": (
            lambda _: [TiersUpdate(endpoints=everyone, tiers=added)],
            lambda _: [TiersUpdate(endpoints=everyone, tiers=whole)],
        ),
        "an endpoint of the class": (
            lambda _: [endpoint(ENDPOINTS, whole)],
            lambda _: [WorkloadEndpointRemove(id=EndpointId("ns", f"w{ENDPOINTS}"))],
        ),
    }
    if count <= 2000:  # the group is split in two and becomes one again, which is work in proportion to it
        changes["an endpoint leaves the class"] = (
            lambda _: [TiersUpdate(endpoints=everyone[:1], tiers=fewer)],
            lambda _: [TiersUpdate(endpoints=everyone[:1], tiers=whole)],
        )
    for what, (there, back) in changes.items():
        print(f"{count:>7} {compilation:<7} {what:<28} {timed(compiler, there, back)} ms")


def grouping(count: int) -> None:
    """What finding the groups takes of it."""
    ids = tuple(policy_id(number) for number in range(count))
    lists = (*ids[: count // 2], policy_id(count), *ids[count // 2 :]), ids
    groups, spent = Grouping(), []
    groups.set_list(("class", "tier"), ids)
    groups.regroup()
    for number in range(2 * ROUNDS):
        begun = time.perf_counter()
        groups.set_list(("class", "tier"), lists[number % 2])
        groups.regroup()
        spent.append(time.perf_counter() - begun)
    print(f"{count:>7} {'':<7} {'groups: a policy':<28} {formatted(spent)} ms")


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [200, 2_000, 10_000]
    print(f"{'N':>7} {'':<7} {'change':<28} {'p50':>8} {'p99':>8}")
    for count in counts:
        grouping(count)
        for compilation in (Compilation.LINEAR, Compilation.AUTO):
            table(count, compilation)


if __name__ == "__main__":
    main()
