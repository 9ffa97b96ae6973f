"""Staged policies are told of as staged and change nothing else; kinds that a host does not read change nothing at all."""

from typing import Any

import msgspec
import pytest
from calc_resources import HOST, Host, endpoint, global_policy, key_of, policy, profile, resource

from tortie.calc import Calculation, HostState
from tortie.calc.hoststate import PolicyId
from tortie.model import kinds
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.updates import ResourceUpdate

DENY = [{"action": "Deny"}]
IN_FORCE = (endpoint("w", "10.0.0.1", profiles=["open"]), profile("open"), policy("p", ingress=[{"action": "Allow"}]))
STAGED: dict[str, tuple[Kind, dict[str, Any]]] = {
    "of the policy's name": (kinds.STAGED_NETWORK_POLICY, {"ingress": DENY, "types": ["Ingress"]}),
    "in a tier of its own": (kinds.STAGED_GLOBAL_NETWORK_POLICY, {"tier": "t", "egress": DENY, "types": ["Egress"]}),
}
WITHOUT_EFFECT: dict[str, tuple[Kind, dict[str, Any]]] = {
    "one that would delete": (kinds.STAGED_NETWORK_POLICY, {"stagedAction": "Delete"}),
    "one that is still being learnt": (kinds.STAGED_NETWORK_POLICY, {"stagedAction": "Learn", "ingress": DENY}),
    "one that is a note": (kinds.STAGED_GLOBAL_NETWORK_POLICY, {"stagedAction": "Ignore", "egress": DENY}),
    "one that was not converted": (kinds.STAGED_KUBERNETES_NETWORK_POLICY, {"podSelector": {}}),
}


def staged(kind: Kind, spec: dict[str, Any]):
    return resource(kind, "p", "ns" if kind.namespaced else "", spec=spec)


def without_staged(state: HostState) -> HostState:
    """What would be left of *state* if staged policies were taken out of it, as whoever enforces it does."""
    kept = {policy_id: found for policy_id, found in state.policies.items() if not found.staged}

    def enforced(tiers):
        found = (
            msgspec.structs.replace(
                tier,
                ingress=tuple(i for i in tier.ingress if i in kept),
                egress=tuple(i for i in tier.egress if i in kept),
            )
            for tier in tiers
        )
        return tuple(tier for tier in found if tier.ingress or tier.egress)

    endpoints = {
        i: msgspec.structs.replace(found, tiers=enforced(found.tiers)) for i, found in state.workload_endpoints.items()
    }
    return msgspec.structs.replace(state, policies=kept, workload_endpoints=endpoints)


@pytest.mark.parametrize(("kind", "spec"), STAGED.values(), ids=STAGED)
def test_a_staged_policy_is_told_of_and_marked(kind, spec):
    host = Host(*IN_FORCE)
    before = host.state
    host.put(staged(kind, spec))
    policy_id = PolicyId(kind.name, "ns" if kind.namespaced else "", "p")
    assert host.state.policies[policy_id].staged
    (found,) = host.state.workload_endpoints.values()
    assert any(policy_id in (*tier.ingress, *tier.egress) for tier in found.tiers)
    assert without_staged(host.state) == before
    host.remove(staged(kind, spec))
    assert host.state == before


@pytest.mark.parametrize(("kind", "spec"), WITHOUT_EFFECT.values(), ids=WITHOUT_EFFECT)
def test_a_staged_policy_that_has_nothing_to_do_changes_nothing(kind, spec):
    host = Host(*IN_FORCE)
    assert host.put(staged(kind, spec)) == ()
    assert host.remove(staged(kind, spec)) == ()


def test_a_staged_policy_stands_where_it_would_stand():
    host = Host(*IN_FORCE, resource(kinds.STAGED_NETWORK_POLICY, "p", "ns", spec={"order": 1, "types": ["Ingress"]}))
    (found,) = host.state.workload_endpoints.values()
    assert [policy_id.kind for policy_id in found.tiers[0].ingress] == ["StagedNetworkPolicy", "NetworkPolicy"]


@pytest.mark.parametrize("hints", [(), ("AssumeNeededOnEveryNode",)], ids=["without the hint", "with the hint"])
def test_a_policy_is_ready_before_it_governs_anyone_only_if_it_asks_for_that(hints):
    rule = {"action": "Allow", "source": {"selector": "has(a)"}}
    host = Host(global_policy("g", selector="has(nobody)", ingress=[rule], performanceHints=list(hints)))
    assert (len(host.state.policies), len(host.state.ip_sets)) == ((1, 1) if hints else (0, 0))


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: f"{kind.api_version} {kind.name}")
def test_every_kind_may_come_and_go(kind: Kind) -> None:
    calculation = Calculation(HOST)
    calculation.in_sync()
    key = ResourceKey(kind, "ns" if kind.namespaced else "", "x")
    calculation.update(ResourceUpdate(key, None, 1))
    assert calculation.update_raw(key.path, None) is None
    assert calculation.flush() == ()


def test_spurious_removals_of_what_is_enforced_elsewhere_change_nothing():
    host = Host(*IN_FORCE)
    assert host.take([(ResourceKey(kinds.HOST_ENDPOINT, "", "w"), None), (key_of(endpoint("x")), None)]) == ()
