"""The route driver against a kernel of ours: whatever happens in between, all converges and nothing of others is deleted."""

from __future__ import annotations

import errno
import tracemalloc
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.netlink.message import Frame, Message
from tortie.dataplane.netlink.route import (
    RTM_NEWROUTE,
    Hop,
    Route,
    RouteKey,
    RouteType,
    keyed_route,
    read_routes,
    replace_route,
    route_key,
)
from tortie.dataplane.netlink.rtnetlink import Link
from tortie.dataplane.netlink.socket import DumpInterruptedError, NetlinkError
from tortie.dataplane.routes import RouteDelta, RouteDriver, RouteSet, RouteUnset
from tortie.net import Address, Family, Network

POD1, POD2, POD6 = Network.parse("10.0.0.1/32"), Network.parse("10.0.0.2/32"), Network.parse("fd00::1/128")
BLOCK = Network.parse("10.65.0.0/26")
GATEWAY = Address.parse("192.0.2.1")
OURS, OTHERS = 80, 4


class FakeKernel:
    """Links that are up, and routes, with the kernel's manners: a link that goes takes its routes along."""

    def __init__(self) -> None:
        self.up: set[int] = set()
        self.down: set[int] = set()
        self.routes: dict[RouteKey, tuple[int, Hop]] = {}
        self.refuse: deque[int] = deque()
        """The errors with which the next operations end; 0 for what the kernel makes of it."""
        self.interruptions = 0

    def attempt(self, messages: Sequence[Message]) -> list[NetlinkError]:
        codes = [(self.refuse and self.refuse.popleft()) or self._handle(message) for message in messages]
        return [NetlinkError(code, index, "as told") for index, code in enumerate(codes) if code]

    def _handle(self, message: Message) -> int:
        family = Family.V4 if message.payload[0] == 2 else Family.V6
        protocol = message.payload[5]
        ((key, hop),) = read_routes([Frame(message.type, 0, 0, message.payload)], family, protocol)
        if message.type != RTM_NEWROUTE:
            return 0 if self.routes.get(key) == (protocol, hop) and self.routes.pop(key) else errno.ESRCH
        if hop.ifindex not in self.up | {0}:
            return errno.ENETDOWN if hop.ifindex in self.down else errno.ENODEV
        self.routes[key] = (protocol, hop)
        return 0

    def stream(self, message: Message) -> Iterator[Frame]:  # noqa: ARG002 - the driver has to select what is its own
        if self.interruptions:
            self.interruptions -= 1
            raise DumpInterruptedError
        for key, (protocol, hop) in self.routes.items():
            yield Frame(RTM_NEWROUTE, 0, 0, replace_route(keyed_route(key, hop), protocol=protocol).payload)

    def close(self) -> None:
        pass

    def set_link(self, ifindex: int, *, up: bool | None) -> None:
        """*up* is None for a link that is deleted."""
        self.up.discard(ifindex)
        self.down.discard(ifindex)
        if up is not None:
            (self.up if up else self.down).add(ifindex)
        if not up:
            self.routes = {key: found for key, found in self.routes.items() if found[1].ifindex != ifindex}

    def ours(self) -> set[Route]:
        return {keyed_route(key, hop) for key, (protocol, hop) in self.routes.items() if protocol == OURS}


def link(name: str, ifindex: int, *, up: bool = True) -> Link:
    return Link(name=name, ifindex=ifindex, up=up)


def flush(driver: RouteDriver) -> int:
    """Apply what is due until nothing is; how many changes that were."""
    changes = 0
    while batches := driver.plan():
        for batch in batches:
            driver.apply(batch)
            changes += len(batch)
    return changes


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def driver(kernel: FakeKernel) -> RouteDriver:
    """With a link ``cali1``, number 1, that is up."""
    kernel.set_link(1, up=True)
    driver = RouteDriver(netlink=kernel)
    driver.link_changed(link("cali1", 1))
    return driver


def test_staging_costs_the_kernel_nothing_and_a_second_plan_is_empty(driver: RouteDriver, kernel: FakeKernel) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    assert kernel.ours() == set()
    assert flush(driver) == 1
    assert kernel.ours() == {Route(POD1, 0, Hop(RouteType.UNICAST, 1))}
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    assert driver.plan() == []


def test_what_is_unset_before_it_was_planned_never_was(driver: RouteDriver) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    driver.stage(RouteUnset(destination=POD1))
    assert driver.plan() == []


def test_what_is_set_goes_before_what_is_deleted(driver: RouteDriver) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1", metric=1))
    flush(driver)
    driver.stage(RouteUnset(destination=POD1, metric=1))
    driver.stage(RouteSet(destination=POD1, link="cali1", metric=2))
    ((first, second),) = driver.plan()
    assert (str(first), str(second)) == (
        "set route 10.0.0.1/32 dev #1 metric 2",
        "delete route 10.0.0.1/32 dev #1 metric 1",
    )


def test_a_plan_is_cut_into_batches(driver: RouteDriver) -> None:
    for number in range(600):
        driver.stage(RouteSet(destination=(POD1.address + number).network(), link="cali1"))
    assert [len(batch) for batch in driver.plan()] == [256, 256, 88]


def test_a_link_that_changes_without_going_down_keeps_its_routes(driver: RouteDriver) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    flush(driver)
    driver.link_changed(Link(name="cali1", ifindex=1, up=True, mtu=1400))
    assert driver.plan() == []


def test_a_link_that_bounced_has_its_routes_set_again(driver: RouteDriver, kernel: FakeKernel) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    flush(driver)
    kernel.set_link(1, up=False)
    kernel.set_link(1, up=True)
    driver.link_changed(link("cali1", 1, up=False))
    driver.link_changed(link("cali1", 1))
    assert flush(driver) == 1
    assert len(kernel.ours()) == 1
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    assert driver.plan() == []


def test_reading_back_ends_all_doubt(driver: RouteDriver) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    flush(driver)
    driver.link_changed(link("cali1", 1, up=False))
    driver.link_changed(link("cali1", 1))
    driver.read_back()
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    assert driver.plan() == []


@pytest.mark.parametrize("code", [errno.ESRCH, errno.ENODEV])
def test_a_route_that_is_gone_already_is_deleted_well(driver: RouteDriver, kernel: FakeKernel, code: int) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    flush(driver)
    driver.stage(RouteUnset(destination=POD1))
    kernel.refuse.append(code)
    assert flush(driver) == 1


def test_workloads_that_come_and_go_leave_nothing_behind(driver: RouteDriver) -> None:
    def live_and_die(first: int) -> int:
        for number in range(first, first + 500):
            name = f"cali{number:011x}"
            driver.stage(RouteSet(destination=POD1, link=name))
            driver.link_changed(link(name, number, up=False))
            flush(driver)
            driver.stage(RouteUnset(destination=POD1))
            driver.link_gone(name)
            flush(driver)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        live_and_die(1000)
        before = live_and_die(2000)
        assert live_and_die(3000) - before < 5_000
    finally:
        tracemalloc.stop()


def test_a_route_unset_on_late_news_that_its_link_is_down_does_not_stay(
    driver: RouteDriver, kernel: FakeKernel
) -> None:
    """The link is up again and has the route by the time we hear that it went down."""
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    flush(driver)
    driver.link_changed(link("cali1", 1, up=False))
    driver.stage(RouteUnset(destination=POD1))
    flush(driver)
    assert kernel.ours() == set()


@pytest.mark.parametrize("code", [errno.ENODEV, errno.ENETDOWN])
def test_a_link_found_gone_makes_its_routes_wait_for_its_return(
    driver: RouteDriver, kernel: FakeKernel, code: int
) -> None:
    kernel.set_link(1, up=None if code == errno.ENODEV else False)
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    assert flush(driver) == 1
    assert driver.plan() == []
    kernel.set_link(1, up=True)
    driver.link_changed(link("cali1", 1))
    assert flush(driver) == 1
    assert len(kernel.ours()) == 1


def test_a_refused_route_is_named_and_stays_due_while_its_neighbours_are_set(
    driver: RouteDriver, kernel: FakeKernel
) -> None:
    for destination in (POD1, POD2, POD6):
        driver.stage(RouteSet(destination=destination, link="cali1"))
    kernel.refuse.extend([0, errno.EINVAL, errno.EPERM])
    (batch,) = driver.plan()
    with pytest.raises(KernelRefusedError, match=r"set route 10\.0\.0\.2/32 dev #1 .*\(and 1 more\)") as refusal:
        driver.apply(batch)
    assert refusal.value.errno == errno.EINVAL
    ((first, second),) = driver.plan()
    assert {first.key, second.key} == {route_key(POD2, 0), route_key(POD6, 0)}


def test_reading_back_finds_what_is_missing_what_differs_and_what_nobody_wants(
    driver: RouteDriver, kernel: FakeKernel
) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    driver.stage(RouteSet(destination=POD2, link="cali1"))
    driver.stage(RouteSet(destination=POD6, link="cali1"))
    flush(driver)
    del kernel.routes[route_key(POD1, 0)]
    kernel.routes[route_key(POD2, 0)] = (OURS, Hop(RouteType.UNICAST, 9))
    kernel.routes[route_key(BLOCK, 0)] = (OURS, Hop(RouteType.BLACKHOLE))
    foreign = (OTHERS, Hop(RouteType.UNICAST, 1))
    kernel.routes[route_key(BLOCK, 7)] = foreign
    assert driver.plan() == []
    actual = driver.read_back()
    assert set(actual) == kernel.ours()
    assert Route(BLOCK, 0, Hop(RouteType.BLACKHOLE)) in actual
    assert Route(POD2, 0, Hop(RouteType.UNICAST, 1)) not in actual
    assert flush(driver) == 3
    assert {route.destination for route in kernel.ours()} == {POD1, POD2, POD6}
    assert kernel.routes[route_key(BLOCK, 7)] == foreign


def test_an_interrupted_listing_is_begun_anew_and_given_up_in_the_end(driver: RouteDriver, kernel: FakeKernel) -> None:
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    flush(driver)
    kernel.interruptions = 9
    assert len(driver.read_back()) == 1
    kernel.interruptions = 10
    with pytest.raises(DumpInterruptedError):
        driver.read_back()


# --- any history -----------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["cali1", "cali2"])
DESTINATIONS = st.sampled_from([POD1, POD2, POD6])
METRICS = st.sampled_from([0, 7])


class AnyHistory(RuleBasedStateMachine):
    """Stages, links that come and go with the news of it late, refusals, restarts and strangers, in any order."""

    @initialize()
    def begin(self) -> None:
        self.kernel = FakeKernel()
        self.foreign = Route(BLOCK, 0, Hop(RouteType.BLACKHOLE))
        self.kernel.routes[route_key(BLOCK, 0)] = (OTHERS, self.foreign.hop)
        self.links: dict[str, Link] = {}
        self.news: deque[Link | str] = deque()
        self.numbers = 0
        self.desired: dict[RouteKey, RouteSet] = {}
        self.driver = RouteDriver(netlink=self.kernel)

    @rule(
        destination=DESTINATIONS,
        link=NAMES | st.just(""),
        gateway=st.none() | st.just(GATEWAY),
        metric=METRICS,
    )
    def set_route(self, destination: Network, link: str, gateway: Address | None, metric: int) -> None:
        usable = gateway if destination.family is Family.V4 and link else None
        self._stage(RouteSet(destination=destination, link=link, gateway=usable, metric=metric))

    @rule(destination=DESTINATIONS, metric=METRICS)
    def unset_route(self, destination: Network, metric: int) -> None:
        self._stage(RouteUnset(destination=destination, metric=metric))

    def _stage(self, delta: RouteDelta) -> None:
        key = route_key(delta.destination, delta.metric)
        self.desired.pop(key, None)
        if isinstance(delta, RouteSet):
            self.desired[key] = delta
        self.driver.stage(delta)

    @rule(name=NAMES, up=st.booleans())
    def link_comes_or_changes(self, name: str, up: bool) -> None:
        if name not in self.links:
            self.numbers += 1
            self.links[name] = link(name, self.numbers)
        self.links[name] = link(name, self.links[name].ifindex, up=up)
        self.kernel.set_link(self.links[name].ifindex, up=up)
        self.news.append(self.links[name])

    @rule(name=NAMES)
    def link_goes(self, name: str) -> None:
        if gone := self.links.pop(name, None):
            self.kernel.set_link(gone.ifindex, up=None)
            self.news.append(name)

    @rule()
    def news_comes(self) -> None:
        if self.news:
            told = self.news.popleft()
            self.driver.link_gone(told) if isinstance(told, str) else self.driver.link_changed(told)

    @rule(codes=st.lists(st.sampled_from([0, errno.EINVAL, errno.ENOBUFS]), max_size=4))
    def flush_with_refusals(self, codes: list[int]) -> None:
        self.kernel.refuse.extend(codes)
        for batch in self.driver.plan():
            try:
                self.driver.apply(batch)
            except KernelRefusedError:
                continue
        self.kernel.refuse.clear()

    @rule(destination=DESTINATIONS, metric=METRICS, data=st.data())
    def stranger_and_resync(self, destination: Network, metric: int, data: Any) -> None:
        """Somebody sets or deletes routes under our number; a resync repairs it."""
        hop = Hop(RouteType.UNICAST, data.draw(st.sampled_from(sorted(self.kernel.up)))) if self.kernel.up else None
        self.kernel.routes.pop(route_key(destination, metric), None)
        if hop and data.draw(st.booleans()):
            self.kernel.routes[route_key(destination, metric)] = (OURS, hop)
        self.driver.read_back()

    @rule()
    def restart(self) -> None:
        """The links are listed, what is wanted is staged, and only then the routes are compared."""
        self.news.clear()
        self.driver = RouteDriver(netlink=self.kernel)
        for present in self.links.values():
            self.driver.link_changed(present)
        for route in self.desired.values():
            self.driver.stage(route)
        self.driver.read_back()

    @invariant()
    def nothing_of_others_is_touched(self) -> None:
        assert self.kernel.routes[route_key(BLOCK, 0)] == (OTHERS, self.foreign.hop)

    def teardown(self) -> None:
        while self.news:
            self.news_comes()
        flush(self.driver)
        assert self.kernel.ours() == set(self._expected())
        assert flush(self.driver) == 0
        assert set(self.driver.read_back()) == self.kernel.ours()
        assert self.driver.plan() == []

    def _expected(self) -> Iterator[Route]:
        for key, route in self.desired.items():
            if not route.link:
                yield keyed_route(key, Hop(RouteType.BLACKHOLE))
            elif (found := self.links.get(route.link)) and found.up:
                gateway = route.gateway.packed if route.gateway else b""
                yield keyed_route(key, Hop(RouteType.UNICAST, found.ifindex, gateway))


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
