"""The incremental contract: output depends on the current state only, never on the way to it."""

from random import Random

import pytest
from calc_resources import (
    HOST,
    Host,
    endpoint,
    endpoint_slice,
    global_policy,
    host_endpoint,
    key_of,
    network_set,
    policy,
    profile,
    resource,
    tier,
)
from slow_twin import JUDGED, SlowTwin

from tortie.calc import Calculation, HostState, apply
from tortie.model import kinds
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.model.updates import ResourceUpdate
from tortie.testing.clusters import random_cluster

State = dict[ResourceKey, Resource]


def state_of(*resources: Resource) -> State:
    return {key_of(resource): resource for resource in resources}


def from_scratch(state: State, host: HostName) -> HostState:
    calculation = Calculation(host)
    for key, value in state.items():
        calculation.update(ResourceUpdate(key, value, 1))
    calculation.in_sync()
    return apply(HostState(), calculation.flush())


class Walk:
    """A calculation led through states by updates that are shuffled, repeated, reverted, squashed or flushed one by one."""

    def __init__(self, rng: Random, host: HostName) -> None:
        self._rng = rng
        self._calculation = Calculation(host)
        self._calculation.in_sync()
        self._known: State = {}
        self.host_state = HostState()

    def go(self, target: State) -> None:
        updates = [(key, target.get(key)) for key in {**self._known, **target}]
        self._rng.shuffle(updates)
        # Some detours: a key that is shown absent, or as it was, before it is what it is.
        detours = [
            (key, self._rng.choice((None, self._known.get(key)))) for key, _ in updates if self._rng.random() < 0.2
        ]
        flush_often = self._rng.random() < 0.5
        for key, value in [*detours, *updates]:
            self._calculation.update(ResourceUpdate(key, value, 1))
            if flush_often and self._rng.random() < 0.5:
                self.flush()
        self._known = target

    def flush(self) -> None:
        self.host_state = apply(self.host_state, self._calculation.flush())


def random_states(rng: Random) -> list[State]:
    """Clusters, and mixtures of two: some resources of one, some of the other."""
    clusters = [state_of(*random_cluster(rng, hosts=2).calico()) for _ in range(3)]
    for _ in range(3):
        one, other = rng.sample(clusters, 2)
        mixed = {**one, **other}
        kept = rng.sample(sorted(mixed, key=str), rng.randint(0, len(mixed)))
        clusters.append({key: mixed[key] for key in kept})
    rng.shuffle(clusters)
    return clusters


@pytest.mark.parametrize("first_seed", range(0, 320, 80))
def test_any_way_through_random_states_ends_like_a_fresh_start(first_seed):
    for seed in range(first_seed, first_seed + 80):
        rng = Random(seed)
        walk = Walk(rng, HostName("host-1"))
        for target in random_states(rng):
            walk.go(target)
            walk.flush()
            expected = from_scratch(target, HostName("host-1"))
            assert walk.host_state == expected, f"seed {seed}"
            assert str(walk.host_state) == str(expected), f"seed {seed}"
        walk.go({})
        walk.flush()
        assert walk.host_state == HostState(), f"seed {seed}"


# --- named states ---------------------------------------------------------------------------------------------------------------

TO_A = {"action": "Allow", "source": {"selector": "has(a)"}, "destination": {"ports": ["web"]}, "protocol": "TCP"}
WEB = (("web", "TCP", 80),)
FROM_A = {"action": "Allow", "source": {"selector": "has(a)"}}
LOCAL = endpoint("w", "10.0.0.1", labels={"a": ""}, profiles=("one", "two"), ports=WEB)

HOST_ENDPOINT = host_endpoint("w", "10.0.0.1", "192.0.2.1", labels={"a": "1"}, profiles=["one"])
USES = {
    "normal": global_policy("n", selector="a == '1'", ingress=[FROM_A]),
    "forward": global_policy("f", applyOnForward=True, order=7, ingress=[FROM_A]),
    "untracked": global_policy("u", doNotTrack=True, applyOnForward=True, egress=[FROM_A]),
    "pre-DNAT": global_policy("d", preDNAT=True, applyOnForward=True, ingress=[FROM_A], types=["Ingress"]),
}
SERVICE = {"action": "Allow", "destination": {"services": {"name": "db", "namespace": "shop"}}}
TO_SERVICE = policy("to-service", types=["Egress"], egress=[SERVICE])


SEQUENCE = {
    "empty": state_of(),
    "one endpoint": state_of(LOCAL),
    "a policy before its tier": state_of(LOCAL, global_policy("t.p", tier="t", ingress=[TO_A])),
    "its tier": state_of(LOCAL, global_policy("t.p", tier="t", ingress=[TO_A]), tier("t", 10, "Pass")),
    "two policies": state_of(
        LOCAL, global_policy("t.p", tier="t", ingress=[TO_A]), policy("q", ingress=[TO_A]), tier("t", 10)
    ),
    "the same policy elsewhere": state_of(LOCAL, global_policy("t.p", tier="u", order=5, egress=[TO_A]), tier("t", 10)),
    "the endpoint on another host": state_of(
        endpoint("w", "10.0.0.1", node="there", labels={"a": ""}, profiles=("one",), ports=WEB),
        endpoint("x", "10.0.0.2"),
        policy("q", ingress=[TO_A]),
    ),
    "two share an address": state_of(LOCAL, endpoint("x", "10.0.0.1", labels={"a": ""}), policy("q", ingress=[TO_A])),
    "other addresses and ports": state_of(
        endpoint("w", "10.0.0.9", "fd00::9", labels={"a": ""}, profiles=("two",), ports=(("web", "TCP", 81),)),
        policy("q", ingress=[TO_A]),
    ),
    "a profile's labels select": state_of(
        endpoint("w", "10.0.0.1", profiles=("one",), ports=WEB), profile("one", {"a": "1"}), policy("q", ingress=[TO_A])
    ),
    "a profile with rules": state_of(LOCAL, profile("one", ingress=[TO_A]), profile("two", {"b": "2"})),
    "a host endpoint in every use": state_of(LOCAL, HOST_ENDPOINT, *USES.values()),
    "the host endpoint without its untracked policy": state_of(LOCAL, HOST_ENDPOINT, USES["normal"], USES["forward"]),
    "the host endpoint on another host": state_of(LOCAL, host_endpoint("w", "10.0.0.1", node="there"), *USES.values()),
    "the host endpoint by its address alone": state_of(
        host_endpoint("w", "10.0.0.1", interface="", labels={"a": "2"}, profiles=["two"]), *USES.values()
    ),
    "a set has the endpoint's address": state_of(
        LOCAL, network_set("s", "0.0.0.0/0", "10.0.0.1", labels={"a": ""}), policy("q", ingress=[FROM_A])
    ),
    "the set has it alone": state_of(
        endpoint("w", "10.0.0.7", labels={"b": ""}),
        network_set("s", "10.0.0.1", "::/0", labels={"a": ""}),
        policy("q", ingress=[FROM_A]),
    ),
    "a service": state_of(LOCAL, TO_SERVICE, endpoint_slice("e", "10.0.0.1", "10.0.0.2", p=("TCP", 80))),
    "the service elsewhere": state_of(LOCAL, TO_SERVICE, endpoint_slice("e", "10.0.0.2", p=("TCP", 81))),
    "a staged policy beside its like": state_of(
        LOCAL,
        policy("q", ingress=[TO_A]),
        resource(kinds.STAGED_NETWORK_POLICY, "q", "ns", spec={"ingress": [TO_A], "order": 1}),
    ),
    "a policy that is needed everywhere": state_of(
        global_policy("t.p", selector="has(none)", ingress=[TO_A], performanceHints=["AssumeNeededOnEveryNode"])
    ),
    "settings of all and of this node": state_of(
        resource(kinds.FELIX_CONFIGURATION, "default", spec={"interfacePrefix": "cali", "vxlanPort": 1}),
        resource(kinds.FELIX_CONFIGURATION, f"node.{HOST}", spec={"vxlanPort": 2}),
    ),
    "settings by the node's labels": state_of(
        resource(kinds.NODE, HOST, labels={"role": "gpu"}, spec={}),
        resource(kinds.FELIX_CONFIGURATION, "default", spec={"interfacePrefix": "cali", "vxlanPort": 1}),
        resource(kinds.FELIX_CONFIGURATION, "x", spec={"nodeSelector": "role == 'gpu'", "vxlanPort": 3}),
    ),
}
ORDERS = {
    "forwards": list(SEQUENCE),
    "backwards": list(reversed(SEQUENCE)),
    "there and back": [*SEQUENCE, *reversed(SEQUENCE)],
    **{f"shuffled {seed}": Random(seed).sample(list(SEQUENCE), len(SEQUENCE)) for seed in range(5)},
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("skipping", [False, True], ids=["flushed at every state", "some states skipped"])
def test_a_sequence_of_named_states_in_any_order(order, skipping):
    rng = Random(1)
    walk = Walk(rng, HOST)
    for name in order:
        walk.go(SEQUENCE[name])
        if skipping and rng.random() < 0.5:
            continue
        walk.flush()
        assert walk.host_state == from_scratch(SEQUENCE[name], HOST), name


@pytest.mark.parametrize("name", SEQUENCE)
def test_the_named_states_are_as_the_slow_twin_says(name):
    found, slow = from_scratch(SEQUENCE[name], HOST), SlowTwin(HOST, SEQUENCE[name]).state()
    assert {field: getattr(found, field) for field in JUDGED} == {field: getattr(slow, field) for field in JUDGED}


def test_the_named_states_differ():
    assert len({str(from_scratch(state, HOST)) for state in SEQUENCE.values()}) == len(SEQUENCE)


def test_a_host_can_be_led_back_to_nothing():
    resources = list(SEQUENCE["two policies"].values())
    host = Host(*resources)
    host.remove(*resources)
    assert host.state == HostState()
