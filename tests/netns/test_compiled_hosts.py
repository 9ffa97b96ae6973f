"""Whole hosts in the kernel: what the compiler makes of random states, through their histories, is what the kernel lists.

After each change the listing decodes to the ruleset that was meant and nothing is left to do; a compiler that begins anew on
what an earlier one has left finds nothing to change, and one of other settings ends where a fresh start would.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from isolation import isolated, run

from tortie.agent.policy import PolicyPlane
from tortie.calc.hoststate import (
    ConfigUpdate,
    EndpointId,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostPolicy,
    HostProfile,
    HostRule,
    HostStateDelta,
    HostWorkloadEndpoint,
    InterfaceLimits,
    PacketRate,
    PeerMatch,
    PolicyId,
    PolicyUpdate,
    PortRange,
    ProfileUpdate,
    TierPolicies,
    WorkloadEndpointUpdate,
)
from tortie.calc.state import HostState
from tortie.dataplane.nft import NftDriver
from tortie.model.policy import Action
from tortie.net import TCP, Network
from tortie.ruleset import Options
from tortie.ruleset.options import Compilation, LogRate
from tortie.testing.hosts import DrivenModel, program, unsettled
from tortie.testing.hoststates import OUTER, changed_state, diff, random_state

GOLDEN = Path(__file__).parents[1] / "golden" / "ruleset"


class Host:
    """A compiler, the ruleset that it means, and the driver that puts it into the kernel of this namespace."""

    def __init__(self, driver: NftDriver, options: Options) -> None:
        self._driver = driver
        self._model = DrivenModel(driver, options.compilation)
        for ifname, addresses in OUTER.items():
            self._model.know(ifname, addresses)
        self._model.begin(options)

    def take(self, deltas: list[HostStateDelta]) -> list[str]:
        """Put the change in force; what the kernel was told to do."""
        self._model.take(deltas)
        batches = program(self._driver)
        return [f"{operation.what} {operation.subject}" for batch in batches for operation in batch.operations]

    def check(self) -> None:
        assert unsettled(self._driver, self._model.ruleset) == ()


@pytest.mark.parametrize("compilation", [Compilation.LINEAR, Compilation.RUNS])
@pytest.mark.parametrize("seed", range(6))
@isolated
def test_the_kernel_lists_what_was_meant_through_a_history(seed: int, compilation: Compilation) -> None:
    rng = Random(seed)
    rejects = seed % 3 == 0
    options = Options(
        compilation=compilation,
        may_spoof=seed % 2 == 0,
        rejects=rejects,
        log_prefix="%t %k %p" if rejects else "calico-packet",
        log_rate=LogRate(10, 60) if rejects else None,
    )
    with NftDriver() as driver:
        host, old = Host(driver, options), HostState()
        for _ in range(4):
            new = changed_state(rng, old) if old.policies else random_state(rng)
            host.take(diff(old, new))
            host.check()
            old = new
        run("nft", "list", "ruleset")


@pytest.mark.parametrize("compilation", [Compilation.LINEAR, Compilation.AUTO])
@pytest.mark.parametrize("seed", range(6))
@isolated
def test_a_restarted_agent_keeps_all_that_it_finds(seed: int, compilation: Compilation) -> None:
    rng = Random(seed)
    options = Options(compilation=compilation)
    state = random_state(rng)
    with NftDriver() as driver:
        host = Host(driver, options)
        host.take(diff(HostState(), state))
        for _ in range(3):  # so that names are not those of a fresh start
            new = changed_state(rng, state)
            host.take(diff(state, new))
            state = new
    with NftDriver() as driver:
        host = Host(driver, options)
        assert host.take(diff(HostState(), state)) == []
        host.check()


@isolated
def test_other_settings_are_put_in_force_on_what_is_there() -> None:
    state = random_state(Random(3))
    with NftDriver() as driver:
        plane = PolicyPlane(driver)
        plane.update(diff(HostState(), state))
        assert plane.program()
        plane.update([ConfigUpdate(values={"nftablesMarkMask": 0xFF00, "failsafeInboundHostPorts": []})])
        assert plane.program()
        changed = run("nft", "list", "ruleset")
    run("nft", "flush", "ruleset")
    with NftDriver() as driver:
        options = Options(mark_mask=0xFF00, failsafes_in=())
        plane = PolicyPlane(driver, options)
        plane.update(diff(HostState(), state))
        assert plane.program()
        assert sorted(run("nft", "list", "ruleset").splitlines()) == sorted(changed.splitlines())


@isolated
def test_the_listing_of_a_host_with_every_stage_is_as_written_down(golden: Callable[[Path, str], None]) -> None:
    with NftDriver() as driver:
        host = Host(driver, Options(compilation=Compilation.LINEAR, may_spoof=True))
        host.take(everything())
        host.check()
    golden(GOLDEN / "every_stage" / "expected.nft", run("nft", "list", "ruleset"))


def everything() -> list[HostStateDelta]:
    """Two workloads, of which one has limits and may spoof, and host endpoints with every use of policy."""
    allow_all = HostProfile(ingress=(HostRule(action=Action.ALLOW),), egress=(HostRule(action=Action.ALLOW),))
    web = HostRule(action=Action.ALLOW, protocol=TCP, destination=PeerMatch(ports=(PortRange(80, 80),)))
    rules = {"ssh": HostRule(action=Action.PASS, protocol=TCP, destination=PeerMatch(ports=(PortRange(22, 22),)))}
    ids = {name: PolicyId("GlobalNetworkPolicy", "", name) for name in ("web", "ssh")}
    policies = [
        PolicyUpdate(id=ids[name], policy=HostPolicy(tier="default", ingress=(rule,), egress=(rule,)))
        for name, rule in {"web": web, **rules}.items()
    ]
    tiers = (TierPolicies(name="default", default_action="Deny", ingress=tuple(ids.values()), egress=(ids["web"],)),)
    first = (TierPolicies(name="default", default_action="Pass", ingress=(ids["web"],), egress=(ids["web"],)),)
    limits = InterfaceLimits(PacketRate(500, 200), PacketRate(500, 200), 100, 50)
    workload = HostWorkloadEndpoint(ifname="cali0", tiers=tiers, profiles=("kns.ns",))
    limited = HostWorkloadEndpoint(
        ifname="cali1", tiers=tiers, profiles=("kns.ns",), limits=limits, spoofable=(Network.parse("198.51.100.0/24"),)
    )
    uses = {"tiers": tiers, "forward_tiers": tiers, "untracked_tiers": first, "pre_dnat_tiers": first}
    return [
        *policies,
        ProfileUpdate(name="kns.ns", profile=allow_all),
        WorkloadEndpointUpdate(id=EndpointId("ns", "a"), endpoint=workload),
        WorkloadEndpointUpdate(id=EndpointId("ns", "b"), endpoint=limited),
        HostEndpointUpdate(id=EndpointId("", "uplink"), endpoint=HostHostEndpoint(ifname="eth0", **uses)),
        HostEndpointUpdate(id=EndpointId("", "others"), endpoint=HostHostEndpoint(ifname="*", profiles=("kns.ns",))),
    ]
