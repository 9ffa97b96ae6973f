"""What the policy plane makes of refusals: it tries again, says so once, and never calls itself in force in vain."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tortie.agent.policy import PolicyPlane
from tortie.calc.hoststate import (
    ConfigUpdate,
    EndpointId,
    HostEndpointRemove,
    HostEndpointUpdate,
    HostHostEndpoint,
    HostWorkloadEndpoint,
    PolicyId,
    TierPolicies,
    WorkloadEndpointUpdate,
)
from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.link_state import AddressesChanged, LinkGone
from tortie.dataplane.netlink.rtnetlink import InterfaceAddress
from tortie.dataplane.nft import Actual
from tortie.net import Address
from tortie.ruleset.values import ChainReplace, Flush, MapCreate, MapDelete, MapDelta


class Driver:
    """A driver whose kernel refuses the next *refusals* batches, and then all that is in ``refused``."""

    def __init__(self, refusals: int = 0, refused: dict[str, str] | None = None) -> None:
        self.refusals = refusals
        self.refused = refused or {}
        self.staged: list[Flush] = []
        self.read_backs = 0
        self.applied = 0
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1
        self.staged.clear()

    def stage(self, flush: Flush) -> None:
        self.staged.append(flush)

    def plan(self) -> tuple[str, ...]:
        return ("batch",)

    def apply(self, _: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise KernelRefusedError(22, "add chain x: Invalid argument")
        self.applied += 1

    def read_back(self) -> Actual:
        self.read_backs += 1
        return Actual()


def plane_on(driver: Any) -> PolicyPlane:
    return PolicyPlane(driver)


STAGES = ["raw-pre", "fwd-2-wl-from", "fwd-3-wl-to", "inp-1-wl"]


def staged(driver: Driver) -> list[str]:
    """The base chains of the first flush."""
    return [delta.name for delta in driver.staged[0].switch if isinstance(delta, ChainReplace)]


def test_the_stages_are_staged_before_anything_else() -> None:
    driver = Driver()
    plane = plane_on(driver)
    assert not driver.staged, "nothing is written before it is asked for"
    plane.program()
    assert staged(driver) == STAGES


def config(**values: object) -> ConfigUpdate:
    return ConfigUpdate(values=values)


def test_other_settings_begin_anew_with_all_that_was_told() -> None:
    driver = Driver()
    plane = plane_on(driver)
    endpoint = HostWorkloadEndpoint(ifname="cali1")
    plane.update([WorkloadEndpointUpdate(id=EndpointId("ns", "w"), endpoint=endpoint)])
    plane.program()
    plane.update([config(interfacePrefix="cali,tap")])
    plane.program()
    assert driver.forgotten == 2, "once at the start, once with the settings"
    assert staged(driver) == STAGES
    assert "tap" in repr(driver.staged[0])
    entries = [delta for delta in driver.staged[1].switch if isinstance(delta, MapDelta)]
    assert [(delta.name, [ifname for ifname, _ in delta.set]) for delta in entries] == [
        ("wl-from", ["cali1"]),
        ("wl-to", ["cali1"]),
    ]


@pytest.mark.parametrize("values", [{}, {"vxlanPort": 4789}, {"nftablesMarkMask": 1}])
def test_settings_that_change_nothing_or_cannot_be_used_leave_the_rules_alone(values: dict[str, object]) -> None:
    driver = Driver()
    plane = plane_on(driver)
    plane.program()
    plane.update([config(**values)])
    plane.program()
    assert driver.forgotten == 1


def test_a_host_endpoint_follows_the_addresses_of_the_hosts_links() -> None:
    driver = Driver()
    plane = plane_on(driver)
    address = Address.parse("192.0.2.1")
    endpoint = HostHostEndpoint(ifname="", expected_ips=(address,))
    plane.update([HostEndpointUpdate(id=EndpointId("", "h"), endpoint=endpoint)])
    plane.program()
    assert "hep-in" not in repr(driver.staged)
    held = InterfaceAddress(ifindex=2, address=address, prefix_len=24)
    plane.links_changed([AddressesChanged(name="eth7", ifindex=2, addresses=(held,))])
    plane.program()
    created = {delta.name: delta.entries for delta in driver.staged[-1].create if isinstance(delta, MapCreate)}
    assert {"hep-in", "hep-out"} <= created.keys()
    assert all([ifname for ifname, _ in entries] == ["eth7"] for entries in created.values())
    plane.links_changed([LinkGone(name="eth7", ifindex=2)])
    plane.program()
    assert {delta.name for delta in driver.staged[-1].delete if isinstance(delta, MapDelete)} == created.keys()


def untracked(ifname: str, *names: str) -> HostEndpointUpdate:
    """A host endpoint with untracked policies."""
    policies = tuple(PolicyId("GlobalNetworkPolicy", "", name) for name in names)
    tiers = (TierPolicies(name="default", default_action="Deny", ingress=policies),) if names else ()
    return HostEndpointUpdate(id=EndpointId("", "h"), endpoint=HostHostEndpoint(ifname=ifname, untracked_tiers=tiers))


def test_untracked_policy_of_all_interfaces_is_warned_of_once_while_it_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plane = plane_on(Driver())
    for delta in (untracked("*", "q", "p"), untracked("*", "q", "p"), untracked("*", "q"), untracked("eth0", "q")):
        plane.update([delta])
    assert [record.message for record in caplog.records] == [
        "host endpoint h stands for all interfaces (*), where policy with doNotTrack is ignored: p, q"
    ]
    plane.update([untracked("*", "q"), HostEndpointRemove(id=EndpointId("", "h")), untracked("*", "q")])
    assert len(caplog.records) == 3


@pytest.mark.parametrize(("refusals", "in_force"), [(0, True), (2, True), (3, False)])
def test_a_refused_batch_is_planned_again_a_few_times(refusals: int, in_force: bool) -> None:
    assert plane_on(Driver(refusals)).program() is in_force


def test_an_object_that_stays_refused_is_not_in_force_though_its_neighbours_are() -> None:
    driver = Driver(refused={"chain x": "Invalid argument"})
    assert plane_on(driver).program() is False
    assert driver.applied == 1


def test_a_refusal_that_goes_on_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    plane = plane_on(Driver(refusals=100))
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            plane.program()
    assert [record.message for record in caplog.records] == [
        "policy is not in force: [Errno 22] add chain x: Invalid argument"
    ]


def test_the_kernel_is_listed_once_after_it_was_distrusted() -> None:
    driver = Driver()
    plane = plane_on(driver)
    plane.program()
    assert driver.read_backs == 1, "the first time: what an earlier run has left"
    plane.distrust()
    plane.program()
    plane.program()
    assert driver.read_backs == 2
