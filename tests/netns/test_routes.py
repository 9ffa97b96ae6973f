"""The host's routes and settings in a kernel; ``ip -j`` reads what is there.

10.0.0.1, fd00::1          10.0.0.2, fd00::2
     │ cali1                    │ cali2              both links end in the namespace of the test
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from isolation import isolated, pending, run

from tortie.dataplane.driver import KernelRefusedError
from tortie.dataplane.links import LinkChanged, LinkEvent, LinkGone, Links, LinkWatch
from tortie.dataplane.routes import RouteDriver, RouteSet, RouteUnset
from tortie.dataplane.sysctl import FORWARDING, SettingsWanted, SysctlDriver, workload_link_settings
from tortie.net import MAC, Address, Network

POD1, POD1_V6 = Network.parse("10.0.0.1/32"), Network.parse("fd00::1/128")
POD2 = Network.parse("10.0.0.2/32")
BLOCK, BLOCK_V6 = Network.parse("10.65.0.0/26"), Network.parse("fd00:65::/122")


def listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("ip", "-j", "-d", *words) or "[]")
    return found


def ours() -> dict[str, tuple[str, str]]:
    """What ``ip`` shows of protocol 80: destination to kind and link or gateway."""
    routes = listed("-4", "route", "show", "proto", "80") + listed("-6", "route", "show", "proto", "80")
    return {
        route["dst"]: (route["type"], "" if route["type"] == "blackhole" else route.get("gateway") or route["dev"])
        for route in routes
    }


def counter(link: str, name: str) -> int:
    counts = dict(line.split() for line in Path(f"/proc/self/net/dev_snmp6/{link}").read_text().splitlines())
    return int(counts[name])


def make_link(links: Links, name: str) -> None:
    links.create_veth(name, mac=MAC.parse("ee:ee:ee:ee:ee:ee"), peer_name=f"peer-{name}")
    links.set_up(name)


def flush(driver: RouteDriver) -> int:
    """Apply what is due; how many routes that were."""
    batches = driver.plan()
    for batch in batches:
        driver.apply(batch)
    assert driver.plan() == []
    return sum(map(len, batches))


def follow(driver: RouteDriver, links: Links) -> None:
    for link in links.list():
        driver.link_changed(link)


def tell(driver: RouteDriver, event: LinkEvent) -> None:
    match event:
        case LinkChanged():
            driver.link_changed(event.link)
        case LinkGone():
            driver.link_gone(event.name)


@isolated
def test_routes_lead_to_their_links_and_are_read_back_as_they_were_meant() -> None:
    driver = RouteDriver()
    with Links() as links:
        make_link(links, "cali1")
        links.add_address("cali1", Address.parse("192.0.2.1"), 24)
        follow(driver, links)
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    driver.stage(RouteSet(destination=POD1_V6, link="cali1"))
    driver.stage(RouteSet(destination=BLOCK))
    driver.stage(RouteSet(destination=BLOCK_V6))
    driver.stage(RouteSet(destination=POD2, link="cali1", gateway=Address.parse("192.0.2.9"), metric=5))
    driver.stage(
        RouteSet(
            destination=Network.parse("0.0.0.0/0"), link="cali1", gateway=Address.parse("169.254.1.1"), onlink=True
        )
    )
    assert flush(driver) == 6
    assert ours() == {
        "10.0.0.1": ("unicast", "cali1"),
        "fd00::1": ("unicast", "cali1"),
        "10.65.0.0/26": ("blackhole", ""),
        "fd00:65::/122": ("blackhole", ""),
        "10.0.0.2": ("unicast", "192.0.2.9"),
        "default": ("unicast", "169.254.1.1"),
    }
    assert listed("route", "show", "10.0.0.1")[0]["scope"] == "link"
    assert len(driver.read_back()) == 6
    assert driver.plan() == []


@isolated
def test_a_route_waits_for_its_link_and_follows_it_as_it_goes_and_comes_again() -> None:
    driver = RouteDriver()
    driver.stage(RouteSet(destination=POD1, link="cali1"))
    driver.stage(RouteSet(destination=POD1_V6, link="cali1"))
    with Links() as links, LinkWatch() as watch:
        for event in watch.list():
            tell(driver, event)

        def told_and_flushed() -> set[str]:
            for event in pending(watch):
                tell(driver, event)
            flush(driver)
            return set(ours())

        assert told_and_flushed() == set()
        links.create_veth("cali1", peer_name="peer")
        assert told_and_flushed() == set()
        links.set_up("cali1")
        assert told_and_flushed() == {"10.0.0.1", "fd00::1"}
        run("ip", "link", "set", "cali1", "down")
        run("ip", "link", "set", "cali1", "up")
        assert set(ours()) == set()
        assert told_and_flushed() == {"10.0.0.1", "fd00::1"}
        links.delete("cali1")
        make_link(links, "cali1")
        assert told_and_flushed() == {"10.0.0.1", "fd00::1"}


@isolated
def test_after_a_restart_only_what_differs_is_touched_and_only_what_is_ours_is_swept() -> None:
    before = RouteDriver()
    with Links() as links:
        make_link(links, "cali1")
        make_link(links, "cali2")
        follow(before, links)
        before.stage(RouteSet(destination=POD1, link="cali1"))
        before.stage(RouteSet(destination=POD2, link="cali1"))
        before.stage(RouteSet(destination=BLOCK))
        before.stage(RouteSet(destination=BLOCK_V6))
        flush(before)
        run("ip", "route", "add", "10.7.0.0/16", "dev", "cali1", "proto", "static")
        run("ip", "route", "add", "10.0.0.1/32", "dev", "cali1", "proto", "80", "metric", "9")

        after = RouteDriver()
        follow(after, links)
    after.stage(RouteSet(destination=POD1, link="cali1"))
    after.stage(RouteSet(destination=POD2, link="cali2"))
    assert len(after.read_back()) == 5
    assert flush(after) == 4  # POD2 moves; both blocks and the one with metric 9 go
    assert ours() == {"10.0.0.1": ("unicast", "cali1"), "10.0.0.2": ("unicast", "cali2")}
    assert listed("route", "show", "10.7.0.0/16")


@isolated
def test_a_link_that_has_gone_unheard_is_no_failure_and_its_route_waits() -> None:
    driver = RouteDriver()
    with Links() as links:
        make_link(links, "cali1")
        follow(driver, links)
        links.delete("cali1")
        for network in (POD1, POD1_V6):
            driver.stage(RouteSet(destination=network, link="cali1"))
        flush(driver)
        assert ours() == {}
        make_link(links, "cali1")
        follow(driver, links)
        assert flush(driver) == 2


@isolated
def test_a_refused_route_is_named_stays_due_and_does_not_stop_the_others() -> None:
    driver = RouteDriver()
    with Links() as links:
        make_link(links, "cali1")
        follow(driver, links)
    driver.stage(RouteSet(destination=POD1, link="cali1", gateway=Address.parse("203.0.113.1")))
    driver.stage(RouteSet(destination=POD2, link="cali1"))
    for _ in range(2):
        with pytest.raises(KernelRefusedError, match=r"set route 10\.0\.0\.1/32 via 203\.0\.113\.1 .* invalid gateway"):
            for batch in driver.plan():
                driver.apply(batch)
        assert set(ours()) == {"10.0.0.2"}
    driver.stage(RouteUnset(destination=POD1))
    assert flush(driver) == 0


@isolated
def test_a_thousand_routes_fit_the_socket() -> None:
    """Without root a receive buffer holds few acknowledgements, so they are sent in pieces."""
    driver = RouteDriver()
    with Links() as links:
        make_link(links, "cali1")
        follow(driver, links)
    first = Address.parse("10.0.0.0")
    for number in range(1000):
        driver.stage(RouteSet(destination=(first + number).network(), link="cali1"))
    assert flush(driver) == 1000
    assert len(ours()) == 1000
    for number in range(1000):
        driver.stage(RouteUnset(destination=(first + number).network()))
    assert flush(driver) == 1000
    assert ours() == {}


@isolated
def test_a_table_of_its_own_is_made_by_its_first_route() -> None:
    driver = RouteDriver(protocol=99, table=1000)
    assert list(driver.read_back()) == []
    driver.stage(RouteSet(destination=BLOCK))
    driver.stage(RouteSet(destination=BLOCK_V6))
    assert flush(driver) == 2
    assert [route["dst"] for route in listed("route", "show", "table", "1000")] == ["10.65.0.0/26"]
    assert len(driver.read_back()) == 2
    assert driver.plan() == []


@isolated
def test_a_workload_s_link_has_its_settings_before_it_comes_up_and_asks_nobody_whether_its_address_is_free() -> None:
    driver = SysctlDriver()
    driver.stage(SettingsWanted(link="", settings=FORWARDING))
    driver.stage(SettingsWanted(link="cali1", settings=workload_link_settings("cali1")))
    with Links() as links:
        link = links.create_veth("cali1", mac=MAC.parse("ee:ee:ee:ee:ee:ee"), peer_name="peer")
        links.set_up("peer")
        driver.link_changed(link)
        for batch in driver.plan():
            driver.apply(batch)
        links.set_up("cali1")
    for setting in (*FORWARDING, *workload_link_settings("cali1")):
        assert Path("/proc/sys", setting.path).read_text().strip() == setting.value, setting.path
    while "tentative" in (gateway := listed("-6", "addr", "show", "dev", "cali1")[0]["addr_info"][0]):
        continue  # the kernel decides in a work queue that there is nothing to detect
    assert gateway["local"] == "fe80::ecee:eeff:feee:eeee"
    assert counter("cali1", "Icmp6OutNeighborSolicits") == 0
    driver.read_back()
    assert driver.plan() == []
