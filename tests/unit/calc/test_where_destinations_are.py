"""Where each destination is, for one host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tortie.calc.hoststate import EndpointId, PoolType, RouteType, RouteUpdate, TunnelType
from tortie.calc.nodes import NodeView, interface_address
from tortie.calc.pools import PoolRouting
from tortie.calc.routes import RouteResolver, Source
from tortie.model.blocks import BlockOwners
from tortie.model.meta import HostName
from tortie.net import Address, Family, Network

HERE, THERE, ELSEWHERE = HostName("here"), HostName("there"), HostName("elsewhere")
POOL, BLOCK = Network.parse("10.0.0.0/16"), Network.parse("10.0.1.0/29")
VXLAN = PoolRouting(PoolType.VXLAN, nat_outgoing=True, crosses_subnets_only=False)


def node(address: str = "", *, vxlan: str = "") -> NodeView:
    found = interface_address(address)
    tunnels = frozenset({(TunnelType.VXLAN, Address.parse(vxlan))}) if vxlan else frozenset()
    return NodeView(addresses={found.address.family: found} if found else {}, tunnels=tunnels)


def owners(node_name: HostName | None, **strays: HostName) -> BlockOwners:
    return BlockOwners(node_name, {Network.parse(a.replace("_", ".")[1:]): n for a, n in strays.items()})


def workload(name: str, host: HostName, *addresses: str) -> tuple[EndpointId, tuple[HostName, tuple[Network, ...]]]:
    return EndpointId("ns", name), (host, tuple(Address.parse(a).network() for a in addresses))


def routes(resolver: RouteResolver) -> Mapping[str, RouteUpdate]:
    removes, updates = resolver.flush()
    assert not removes
    return {str(route.destination): route for route in updates}


@pytest.fixture
def resolver() -> RouteResolver:
    resolver = RouteResolver(HERE)
    resolver.set_pool(POOL, VXLAN)
    resolver.set_block(BLOCK, owners(THERE))
    resolver.set_node(THERE, node("192.168.0.2/24"))
    return resolver


def test_a_block_is_routed_to_its_host_as_its_pool_says(resolver: RouteResolver) -> None:
    assert routes(resolver)["10.0.1.0/29"] == RouteUpdate(
        destination=BLOCK,
        types=frozenset({RouteType.REMOTE_WORKLOAD}),
        pool=PoolType.VXLAN,
        node="there",
        node_address=Address.parse("192.168.0.2"),
        nat_outgoing=True,
    )


def test_an_address_that_another_host_gave_out_is_borrowed_and_routed_there(resolver: RouteResolver) -> None:
    resolver.set_block(BLOCK, owners(THERE, _10_0_1_2=ELSEWHERE))
    route = routes(resolver)["10.0.1.2/32"]
    assert (route.node, route.borrowed, route.types) == ("elsewhere", True, {RouteType.REMOTE_WORKLOAD})


def test_a_local_workload_has_a_route_of_its_own_without_any_pool(resolver: RouteResolver) -> None:
    resolver.set_endpoint(*workload("web", HERE, "10.9.0.1", "fd00::1"))
    found = routes(resolver)
    for text in ("10.9.0.1/32", "fd00::1/128"):
        assert (found[text].local_workload, found[text].node) == (True, "here")
        assert found[text].types == {RouteType.LOCAL_WORKLOAD}


def test_remote_workloads_make_no_routes_while_blocks_say_where_they_are(resolver: RouteResolver) -> None:
    resolver.set_endpoint(*workload("web", THERE, "10.0.1.3"))
    assert "10.0.1.3/32" not in routes(resolver)


def test_with_workload_addresses_as_source_each_remote_workload_is_a_route_and_blocks_are_none(
    resolver: RouteResolver,
) -> None:
    resolver.set_source("WorkloadIPs", [workload("a", THERE, "10.0.1.3"), workload("b", ELSEWHERE, "10.0.1.3")])
    found = routes(resolver)
    assert "10.0.1.0/29" not in found
    assert found["10.0.1.3/32"].node == "elsewhere", "of several nodes that have it, the first by name"
    resolver.set_source("CalicoIPAM", [workload("a", THERE, "10.0.1.3"), workload("b", ELSEWHERE, "10.0.1.3")])
    removes, updates = resolver.flush()
    assert [str(r.destination) for r in removes] == ["10.0.1.3/32"]
    assert [str(u.destination) for u in updates] == ["10.0.1.0/29"]


def test_a_hosts_own_address_is_a_host_even_inside_a_block(resolver: RouteResolver) -> None:
    resolver.set_node(ELSEWHERE, node("10.0.1.4/24"))
    route = routes(resolver)["10.0.1.4/32"]
    assert (route.types, route.node, route.borrowed) == ({RouteType.REMOTE_HOST}, "elsewhere", False)


def test_two_nodes_with_one_address_leave_it_to_the_first_and_then_to_the_other(resolver: RouteResolver) -> None:
    resolver.set_node(ELSEWHERE, node("192.168.0.2/24"))
    assert routes(resolver)["192.168.0.2/32"].node == "elsewhere"
    resolver.set_node(ELSEWHERE, None)
    assert routes(resolver)["192.168.0.2/32"].node == "there"


def test_a_tunnels_address_is_no_workload_although_its_block_is(resolver: RouteResolver) -> None:
    resolver.set_node(THERE, node("192.168.0.2/24", vxlan="10.0.1.0"))
    route = routes(resolver)["10.0.1.0/32"]
    assert (route.types, route.tunnels) == ({RouteType.REMOTE_TUNNEL}, {TunnelType.VXLAN})


def test_a_block_of_one_address_that_is_a_tunnels_is_both(resolver: RouteResolver) -> None:
    resolver.set_block(Network.parse("10.0.2.0/32"), owners(THERE))
    resolver.set_node(THERE, node("192.168.0.2/24", vxlan="10.0.2.0"))
    assert routes(resolver)["10.0.2.0/32"].types == {RouteType.REMOTE_TUNNEL, RouteType.REMOTE_WORKLOAD}


@pytest.mark.parametrize(("theirs", "near"), [("192.168.0.2/24", True), ("192.168.7.2/24", False)])
def test_a_pool_that_crosses_subnets_only_asks_whether_the_node_is_in_ours(theirs: str, near: bool) -> None:
    resolver = RouteResolver(HERE)
    resolver.set_pool(POOL, VXLAN._replace(crosses_subnets_only=True))
    resolver.set_block(BLOCK, owners(THERE))
    resolver.set_node(THERE, node(theirs))
    assert not routes(resolver)["10.0.1.0/29"].same_subnet, "we do not know our own subnet yet"
    resolver.set_node(HERE, node("192.168.0.1/24"))
    assert routes(resolver).get("10.0.1.0/29", RouteUpdate(destination=BLOCK, types=frozenset())).same_subnet is near


def test_a_block_hears_of_its_pool_however_many_destinations_there_are(resolver: RouteResolver) -> None:
    small = Network.parse("10.0.1.0/28")
    resolver.set_pool(small, VXLAN)
    for number in range(2 * small.size):
        resolver.set_node(HostName(f"n{number}"), node(f"172.16.0.{number}/24"))
    assert routes(resolver)["10.0.1.0/29"].pool is PoolType.VXLAN
    resolver.set_pool(small, VXLAN._replace(type=PoolType.IPIP))
    assert routes(resolver)["10.0.1.0/29"].pool is PoolType.IPIP


def test_what_is_gone_is_removed_and_nothing_is_sent_twice(resolver: RouteResolver) -> None:
    assert set(routes(resolver)) == {"10.0.0.0/16", "10.0.1.0/29", "192.168.0.2/32"}
    assert resolver.flush() == ([], [])
    resolver.set_pool(POOL, None)
    resolver.set_block(BLOCK, None)
    resolver.set_node(THERE, None)
    removes, updates = resolver.flush()
    assert {str(r.destination) for r in removes} == {"10.0.0.0/16", "10.0.1.0/29", "192.168.0.2/32"}
    assert not updates


# --- incremental = from scratch --------------------------------------------------------------------------------------------

_HOSTS = (HERE, THERE, ELSEWHERE)
_ADDRESSES = [Address.parse(f"10.0.1.{i}") for i in range(4)] + [Address.parse("fd00::1")]
_NETWORKS = [Network.parse(n) for n in ("10.0.0.0/16", "10.0.1.0/30", "10.0.1.2/31", "10.0.1.1/32", "fd00::/64")]
_pools = st.builds(PoolRouting, st.sampled_from(PoolType), st.booleans(), st.booleans())
_blocks = st.builds(
    BlockOwners,
    st.none() | st.sampled_from(_HOSTS),
    st.dictionaries(st.sampled_from([a.network() for a in _ADDRESSES]), st.sampled_from(_HOSTS), max_size=2),
)
_nodes = st.builds(
    lambda address, prefix_len, tunnel: NodeView(
        addresses={address.family: interface_address(f"{address}/{prefix_len}")},  # type: ignore[dict-item]
        tunnels=frozenset({(TunnelType.VXLAN, tunnel)} if tunnel else ()),
    ),
    st.sampled_from(_ADDRESSES),
    st.sampled_from([24, 31, 32]),
    st.none() | st.sampled_from(_ADDRESSES),
)
_endpoints = st.tuples(
    st.sampled_from(_HOSTS),
    st.lists(st.sampled_from([a.network() for a in _ADDRESSES]), max_size=2, unique=True).map(tuple),
)


def _step(name: str, keys: Any, values: Any) -> st.SearchStrategy[tuple[str, Any, Any]]:
    return st.tuples(st.just(name), st.sampled_from(keys), st.none() | values)


_history = st.lists(
    _step("pool", _NETWORKS, _pools)
    | _step("block", _NETWORKS, _blocks)
    | _step("node", _HOSTS, _nodes)
    | _step("endpoint", [EndpointId("ns", n) for n in "abc"], _endpoints)
    | st.just(("flush", None, None)),
    max_size=25,
)


def _play(resolver: RouteResolver, steps: list[tuple[str, Any, Any]], flushed: Callable[[], None]) -> None:
    for name, key, value in steps:
        if name == "flush":
            flushed()
        else:
            getattr(resolver, f"set_{name}")(key, value)


@settings(max_examples=150)
@given(history=_history, first=st.sampled_from(["CalicoIPAM", "WorkloadIPs"]))
def test_the_way_to_a_state_does_not_matter(history: list[tuple[str, Any, Any]], first: Source) -> None:
    state: dict[Network, RouteUpdate] = {}
    resolver = RouteResolver(HERE)
    resolver.set_source(first, [])

    def flush() -> None:
        removes, updates = resolver.flush()
        for remove in removes:
            del state[remove.destination]
        state.update({route.destination: route for route in updates})

    _play(resolver, history, flush)
    final = {(name, key): value for name, key, value in history if name != "flush"}
    resolver.set_source("CalicoIPAM", [(k, v) for (n, k), v in final.items() if n == "endpoint" and v is not None])
    flush()

    afresh = RouteResolver(HERE)
    _play(afresh, [(name, key, value) for (name, key), value in reversed(final.items())], lambda: None)
    removes, updates = afresh.flush()
    assert not removes
    assert state == {route.destination: route for route in updates}


def test_ipv6_nodes_answer_for_ipv6_destinations_only(resolver: RouteResolver) -> None:
    resolver.set_block(Network.parse("fd00::/122"), owners(THERE))
    assert routes(resolver)["fd00::/122"].node_address is None
    both = {f: interface_address(a) for f, a in ((Family.V4, "192.168.0.2/24"), (Family.V6, "fe00::2/64"))}
    resolver.set_node(THERE, NodeView(addresses=both))  # type: ignore[arg-type]
    assert routes(resolver)["fd00::/122"].node_address == Address.parse("fe00::2")
