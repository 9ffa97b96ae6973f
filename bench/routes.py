"""How long 64,000 kernel routes take to be read back and reconciled, and how much memory (DESIGN, Numbers).

    python bench/routes.py [COUNT]

It is what a restarted agent does: stage what is wanted, list what there is, find nothing to do. Half of the routes are IPv4.
Runs in user and network namespaces of its own, so it needs no root and leaves nothing. The yardstick is the time in which the
kernel lists the same routes and nobody looks at them. Exit status 1 if a bar is missed.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable

from tortie.dataplane.links import Links
from tortie.dataplane.netlink.route import list_routes
from tortie.dataplane.netlink.socket import NETLINK_ROUTE, NetlinkSocket
from tortie.dataplane.routes import ROUTE_PROTOCOL, RouteDriver, RouteSet
from tortie.lab.namespaces import CLONE_NEWNET, CLONE_NEWUSER, unshare
from tortie.net import Family, Network

LINKS = 250
ROUNDS = 5
BAR_S = 0.5
BAR_MIB = 30.0


def wanted_routes(count: int) -> list[RouteSet]:
    """The /32 and /128 routes of a host to its workloads."""
    first = (Network.parse("fd00::/64").address, Network.parse("10.0.0.0/8").address)
    return [RouteSet(destination=(first[i % 2] + i).network(), link=f"cali{i % LINKS}") for i in range(count)]


def open_driver(routes: list[RouteSet]) -> RouteDriver:
    """A driver that knows the links and has *routes* staged."""
    driver = RouteDriver()
    with Links() as links:
        for link in links.list():
            driver.link_changed(link)
    for route in routes:
        driver.stage(route)
    return driver


def fill(routes: list[RouteSet]) -> float:
    """Make the links and the routes; the seconds that the routes took."""
    with Links() as links:
        for number in range(LINKS):
            links.create_veth(f"cali{number}", peer_name=f"peer{number}")
            links.set_up(f"cali{number}")
    driver = open_driver(routes)

    def program() -> None:
        for batch in driver.plan():
            driver.apply(batch)

    return seconds(program)


def reconcile(driver: RouteDriver) -> None:
    driver.read_back()
    if driver.plan():
        raise SystemExit("the kernel does not have what was wanted")


def list_only() -> None:
    with NetlinkSocket(NETLINK_ROUTE) as netlink:
        for family in Family:
            for _ in netlink.stream(list_routes(family, protocol=ROUTE_PROTOCOL)):
                pass


def seconds(step: Callable[[], None]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def peak_mib() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_child(step: Callable[[], None]) -> bool:
    """Run a step in a process of its own, so that its memory is not counted; whether it went well."""
    child = os.fork()
    if not child:
        try:
            step()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main(count: int) -> int:
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    if not in_child(lambda: print(f"{count} routes set in {fill(wanted_routes(count)):.2f} s", flush=True)):
        return 1
    routes = wanted_routes(count)
    before = peak_mib()
    driver = open_driver(routes)
    times = [seconds(lambda: reconcile(driver)) for _ in range(ROUNDS)]
    grown = peak_mib() - before
    listing = statistics.median(seconds(list_only) for _ in range(ROUNDS))
    took = statistics.median(times)
    print(
        f"read back and reconciled in {took:.3f} s (bar {BAR_S}), {took / listing:.1f} times the bare listing; "
        f"{grown:.1f} MiB (bar {BAR_MIB})"
    )
    return 0 if took <= BAR_S and grown <= BAR_MIB else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 64_000))
