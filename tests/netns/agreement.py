"""Three answers to one question, whether a flow gets through: the oracle's, the interpreted rulesets', the kernels'.

resources ─┬─► tortie.verdict ──────────────────────────────────────────────► Answers.oracle
           └─► tortie.testing.hosts, one per host ─┬─► its ruleset, walked ─► Answers.walked
                                                   └─► its kernel ──────────► Answers.delivered: a packet came through
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from tortie.conversion import meaning
from tortie.lab.namespaces import inside_network
from tortie.model import codec
from tortie.model.kinds import KINDS, ResourceKey, kind_of
from tortie.model.meta import HostName, Resource
from tortie.model.policy import GlobalNetworkPolicy, NetworkPolicy, Rule
from tortie.net import Address, Protocol
from tortie.ruleset import EndpointToHostAction, Options
from tortie.testing.bed import Bed
from tortie.testing.hosts import Host, changes, keyed
from tortie.verdict import Cluster, Decision, EndpointRef, Flow, Verdict

FORGET_AFTER = 1000
"""Flows. To list what a kernel tracks takes it tens of milliseconds, however little that is."""


class Answers(NamedTuple):
    """What is said of one flow."""

    verdict: Verdict
    oracle: bool
    """The verdict; for a flow to its own host also what the host's settings say of such."""
    walked: bool
    delivered: bool

    @property
    def agree(self) -> bool:
        return self.oracle is self.walked is self.delivered

    def lines(self) -> Iterator[str]:
        yield f"{self.verdict.flow}, from port {self.verdict.flow.source_port}"
        yield f"  oracle {self.oracle}, ruleset {self.walked}, packet {self.delivered}"
        for decision in (self.verdict.egress, self.verdict.ingress):
            yield from (f"  {line}" for line in (decision.lines() if decision is not None else ()))


class Hosts:
    """The hosts of a bed, all told the same resources."""

    def __init__(self, bed: Bed, names: Sequence[HostName], options: Options) -> None:
        self._bed, self._options = bed, options
        self._stack = ExitStack()
        self._hosts = {name: self._stack.enter_context(Host(name, bed.network_of(name), options)) for name in names}
        self._resources: Mapping[ResourceKey, Resource] = {}
        self._oracle = Cluster.of(())
        self._tracked: set[tuple[Protocol, frozenset[tuple[Address, int | None]]]] = set()
        """The flows that connection tracking may know, each by its protocol and its two ends in either order."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # --- what is in force --------------------------------------------------------------------------------------------------

    def become(self, resources: Iterable[Resource], rng: Random, flushes: int = 1) -> None:
        """Go from what there was to *resources*, the updates in any order and taken in *flushes* parts."""
        calico = calico_of(resources)
        updates = changes(self._resources, calico)
        rng.shuffle(updates)
        for part in range(flushes):
            for host in self._hosts.values():
                host.take(updates[part::flushes])
        self._resources, self._oracle = calico, Cluster.of(calico.values())

    def restart(self, *, keep_rules: bool) -> None:
        self._resources = {}
        for host in self._hosts.values():
            host.restart(keep_rules=keep_rules)

    def unsettled(self) -> list[str]:
        return [f"{name}: {what}" for name, host in self._hosts.items() for what in host.unsettled()]

    # --- asking ------------------------------------------------------------------------------------------------------------

    def ask(self, flows: Iterable[Flow]) -> list[Answers]:
        """All answers on *flows*, but for those that connection tracking would take for part of an earlier one."""
        if len(self._tracked) > FORGET_AFTER:
            self.forget_flows()
        new = [flow for flow in flows if self._is_new(flow)]
        return [self._answers(flow, arrived) for flow, arrived in zip(new, self._bed.delivered(new), strict=True)]

    def forget_flows(self) -> None:
        """Let every flow be new again."""
        for host in self._hosts.values():
            host.forget_flows()
        self._tracked.clear()

    def _is_new(self, flow: Flow) -> bool:
        """Whether the flow is neither an earlier one nor its answer; from now on it is. ICMP has an identifier of its own each time."""
        ends = {(flow.source_address, flow.source_port), (flow.destination_address, flow.destination_port)}
        key = flow.protocol, frozenset(ends)
        is_new = flow.icmp is not None or key not in self._tracked
        self._tracked.add(key)
        return is_new

    def _answers(self, flow: Flow, arrived: bool) -> Answers:
        way = self._bed.way(flow)
        verdict = self._oracle.judge(flow)
        to_own_host = len(way) == 1 and not way[0].out_interface
        is_dropped = to_own_host and self._options.endpoint_to_host_action is EndpointToHostAction.DROP
        return Answers(
            verdict=verdict,
            oracle=verdict.allowed and not is_dropped,
            walked=all(self._hosts[hop.host].lets_through(flow, hop) for hop in way),
            delivered=arrived,
        )

    # --- telling -----------------------------------------------------------------------------------------------------------

    def path(self, flow: Flow) -> str:
        """What kind of way the flow takes."""
        way = self._bed.way(flow)
        if not way[-1].out_interface:
            return "to its own host" if len(way) == 1 else "to another host"
        if not isinstance(flow.source, EndpointRef):
            return "from outside"
        if not isinstance(flow.destination, EndpointRef):
            return "to outside"
        return "on one host" if len(way) == 1 else "between hosts"

    def deciding_rules(self, verdict: Verdict) -> Iterator[Rule]:
        for decision in (verdict.egress, verdict.ingress):
            if decision is not None and decision.policy is not None:
                yield self._rule(decision)

    def _rule(self, decision: Decision) -> Rule:
        assert decision.policy is not None
        assert decision.rule is not None
        name, namespace, policy_name = decision.policy
        kind = next(kind for kind in KINDS if kind.name == name and not kind.is_kubernetes)
        policy = self._resources[ResourceKey(kind, namespace, policy_name)]
        assert isinstance(policy, NetworkPolicy | GlobalNetworkPolicy)
        rules: Sequence[Rule] = getattr(policy.spec, decision.direction.lower())
        return rules[decision.rule]

    def keep(self, folder: Path) -> None:
        """Write down what is needed to look into a failure: the resources, and each host's rules as ``nft`` lists them."""
        documents = [codec.to_document(resource) for resource in self._resources.values()]
        (folder / "resources.json").write_text(json.dumps({"kind": "List", "items": documents}, indent=1, default=str))
        for name in self._hosts:
            with inside_network(self._bed.network_of(name)):
                listing = subprocess.run(["nft", "list", "ruleset"], check=False, capture_output=True, text=True)
            (folder / f"{name}.nft").write_text(listing.stdout + listing.stderr)


def calico_of(resources: Iterable[Resource]) -> dict[ResourceKey, Resource]:
    """The objects of Calico's kinds, those that Kubernetes objects mean among them."""
    made: dict[ResourceKey, Resource] = {}
    for resource in resources:
        made |= meaning(resource) if kind_of(resource).is_kubernetes else keyed([resource])
    return made


class Tally:
    """What the flows were and what decided on them, so that a test cannot pass without having tested anything."""

    def __init__(self) -> None:
        self.flows: Counter[tuple[str, bool]] = Counter()
        """By what kind of flow, and whether it got through."""
        self.causes: Counter[str] = Counter()
        self.criteria: Counter[str] = Counter()
        """Of the policy rules that decided, by what they matched."""

    def add(self, answers: Answers, hosts: Hosts) -> None:
        flow, verdict = answers.verdict.flow, answers.verdict
        for kind in ("all", f"IPv{flow.family}", str(flow.protocol), hosts.path(flow)):
            self.flows[kind, answers.delivered] += 1
        deciding = [d for d in (verdict.egress, verdict.ingress) if d is not None and d.allowed == verdict.allowed]
        self.causes.update(f"{'allowed' if d.allowed else 'denied'} by {d.cause}" for d in deciding)
        self.criteria.update(name for rule in hosts.deciding_rules(verdict) for name in criteria(rule))

    def lines(self) -> Iterator[str]:
        kinds = sorted({kind for kind, _ in self.flows})
        yield "through : stopped: " + ", ".join(f"{k} {self.flows[k, True]}:{self.flows[k, False]}" for k in kinds)
        yield "decisions: " + ", ".join(f"{count} {cause}" for cause, count in sorted(self.causes.items()))
        yield "criteria of the rules that decided: " + ", ".join(f"{n} {c}" for n, c in sorted(self.criteria.items()))


def criteria(rule: Rule) -> set[str]:
    """By what *rule* matches, in the words of its fields."""
    found = {name for name in _set_fields(rule) if name not in ("action", "source", "destination", "metadata")}
    for side in ("source", "destination"):
        found |= {f"{side}.{name}" for name in _set_fields(getattr(rule, side))}
    return found or {"nothing"}


def _set_fields(value: msgspec.Struct) -> list[str]:
    return [name for name in value.__struct_fields__ if getattr(value, name)]
