from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from bgp_resources import affinities_of, configuration, intent_of, node, peer, pool

from tortie.model.meta import HostName, Resource
from tortie.model.topology import AffinityState, BlockAffinity
from tortie.net import Address, Network
from tortie.routing import LogLevel, Peer, PeerKind, RouterIntent

MESH = [
    node("a", ipv4Address="172.30.0.8/24", ipv6Address="fd00::8"),
    node("b", ipv4Address="172.30.0.10/24", ipv6Address="fd00::10"),
    node("c", ipv4Address="172.30.0.9/24"),
    node("no-bgp"),
]


def resolved(host: str, *resources: Resource) -> RouterIntent:
    intent = intent_of(host, resources)
    assert intent is not None
    return intent


def names(intent: RouterIntent) -> list[str]:
    return [peer.name for peer in intent.peers]


def test_the_mesh_joins_every_two_nodes_in_each_family_that_both_have() -> None:
    assert names(resolved("a", *MESH)) == ["Mesh_172_30_0_9", "Mesh_172_30_0_10", "Mesh_fd00__10"]
    assert names(resolved("c", *MESH)) == ["Mesh_172_30_0_8", "Mesh_172_30_0_10"]


def test_of_two_mesh_ends_exactly_the_one_lower_as_text_waits() -> None:
    waits = {
        (here, str(session.address)): session.passive
        for here in ("a", "b", "c")
        for session in resolved(here, *MESH).peers
        if session.address.family == 4
    }
    # "172.30.0.10" < "172.30.0.8" < "172.30.0.9"
    assert {end for end, waiting in waits.items() if waiting} == {
        ("b", "172.30.0.8"), ("b", "172.30.0.9"), ("a", "172.30.0.9"),
    }  # fmt: skip
    assert len(waits) == 6


@pytest.mark.parametrize("host", ["no-bgp", "unknown"])
def test_a_host_without_a_bgp_address_takes_no_part(host: str) -> None:
    assert intent_of(host, MESH) is None


def test_a_mesh_that_is_off_has_no_sessions() -> None:
    assert names(resolved("a", *MESH, configuration(nodeToNodeMeshEnabled=False))) == []


def test_a_route_reflector_is_in_nobodys_mesh() -> None:
    reflector = node("r", ipv4Address="172.30.0.7", routeReflectorClusterID="0.0.0.1")
    assert "Mesh_172_30_0_7" not in names(resolved("a", *MESH, reflector))
    assert names(resolved("r", *MESH, reflector)) == []


def test_as_numbers_are_the_nodes_or_the_clusters() -> None:
    nodes = [node("a", ipv4Address="10.0.0.1"), node("b", ipv4Address="10.0.0.2", asNumber=65001)]
    intent = resolved("a", *nodes, configuration(asNumber=64999))
    assert (intent.local_as, [peer.as_number for peer in intent.peers]) == (64999, [65001])


def test_a_session_goes_to_the_port_on_which_its_peer_listens() -> None:
    settings = [configuration(listenPort=1179), configuration("node.b", listenPort=2179)]
    intent = resolved("a", *MESH, *settings)
    assert intent.listen_port == 1179
    assert {str(peer.address): peer.port for peer in intent.peers} == {
        "172.30.0.10": 2179, "fd00::10": 2179, "172.30.0.9": 1179,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("10.0.0.1", "10.0.0.1", 179),
        ("10.0.0.1:1179", "10.0.0.1", 1179),
        ("fd00::1", "fd00::1", 179),
        ("[fd00::1]:1179", "fd00::1", 1179),
    ],
)
def test_a_peer_address_may_carry_a_port(text: str, address: str, port: int) -> None:
    intent = resolved("a", MESH[0], peer("p", peerIP=text, asNumber=65000))
    assert intent.peers == (Peer(kind=PeerKind.GLOBAL, address=Address.parse(address), port=port, as_number=65000),)


@pytest.mark.parametrize(
    "text", ["", "rack", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "[10.0.0.1", "[]:179", "10.0.0.1:1:2"]
)
def test_an_unreadable_peer_is_left_out_and_said_so(text: str) -> None:
    intent = resolved("a", MESH[0], peer("bad", peerIP=text), peer("good", peerIP="10.0.0.2"))
    assert names(intent) == ["Global_10_0_0_2"]
    [sentence] = intent.omitted
    assert sentence.startswith("BGPPeer bad: ")


@pytest.mark.parametrize(
    ("bgp", "says"),
    [
        ({"ipv4Address": "fd00::1", "ipv6Address": "fd00::2"}, "is not an IPv4 address"),
        ({"ipv4Address": "rack/24", "ipv6Address": "fd00::2"}, "'rack' is not an IP address"),
    ],
    ids=["family", "text"],
)
def test_an_unreadable_node_address_is_left_out_and_said_so(bgp: dict[str, str], says: str) -> None:
    intent = resolved("a", node("a", **bgp))
    assert (intent.ipv4_address, str(intent.ipv6_address)) == (None, "fd00::2")
    assert says in intent.omitted[0]


def test_a_peer_of_a_node_is_only_that_nodes_and_wins_over_global_and_mesh() -> None:
    resources = [
        *MESH,
        peer("everyone", peerIP="172.30.0.9", asNumber=65001),
        peer("mine", node="a", peerIP="172.30.0.9", asNumber=65002),
        peer("theirs", node="b", peerIP="172.30.0.66", asNumber=65003),
    ]
    a, b = resolved("a", *resources), resolved("b", *resources)
    assert "Node_172_30_0_9" in names(a)
    assert "Global_172_30_0_9" in names(b)
    assert [peer.as_number for peer in a.peers if str(peer.address) == "172.30.0.9"] == [65002]
    assert [peer for peer in a.peers if str(peer.address) == "172.30.0.66"] == []


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"nodeSelector": "rack == 'r1'", "peerIP": "10.0.0.1"}, "nodeSelector cannot"),
        ({"peerSelector": "has(rr)"}, "peerSelector cannot"),
        ({"nodeSelector": "!has(rr)", "peerSelector": "has(rr)"}, "nodeSelector and peerSelector cannot"),
        ({"localWorkloadSelector": "all()", "asNumber": 65000}, "localWorkloadSelector cannot"),
    ],
    ids=["nodes", "peers", "both", "workloads"],
)
def test_a_peer_with_a_selector_is_nobodys_rather_than_everybodys(spec: dict[str, Any], says: str) -> None:
    intent = resolved("a", MESH[0], peer("selected", **spec), peer("plain", peerIP="10.0.0.2"))
    assert names(intent) == ["Global_10_0_0_2"]
    [sentence] = intent.omitted
    assert sentence.startswith(f"BGPPeer selected: {says}")


def test_what_a_session_does_not_get_is_said() -> None:
    intent = resolved("a", MESH[0], peer("p", peerIP="10.0.0.2", filters=["f"], ttlSecurity=1))
    assert names(intent) == ["Global_10_0_0_2"]
    assert [sentence.partition(":")[0] for sentence in intent.omitted] == [
        "BGPPeer p, ttlSecurity",
        "BGPPeer p, filters",
    ]


def test_nobody_peers_with_itself_or_in_a_family_it_does_not_speak() -> None:
    resources = [MESH[2], peer("self", peerIP="172.30.0.9"), peer("v6", peerIP="fd00::99")]
    assert names(resolved("c", *resources)) == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("", None), ("5s", 5), ("1m30s", 90), ("1500ms", 2), ("0.5m", 30), ("1h", 3600)]
)
def test_restart_times_are_go_durations_in_whole_seconds(text: str, seconds: int | None) -> None:
    intent = resolved("a", *MESH[:2], configuration(nodeMeshMaxRestartTime=text))
    assert {peer.restart_time_s for peer in intent.peers} == {seconds}


@pytest.mark.parametrize("text", ["5", "5 s", "s", "-5s", "2h"])
def test_a_restart_time_that_bgp_cannot_express_is_left_out_and_said_so(text: str) -> None:
    intent = resolved("a", *MESH[:2], configuration(nodeMeshMaxRestartTime=text))
    assert {peer.restart_time_s for peer in intent.peers} == {None}
    assert len(intent.omitted) == 1


def test_only_confirmed_blocks_of_this_host_are_its_own() -> None:
    affinities = affinities_of({"a": ["10.1.0.0/26", "10.0.0.0/26"], "b": ["10.2.0.0/26"]})
    affinities |= affinities_of({"a": ["10.3.0.0/26"]}, AffinityState.PENDING)
    affinities |= affinities_of({"a": ["10.4.0.0/26"]}, AffinityState.PENDING_DELETION)
    affinities[HostName("a"), Network.parse("10.5.0.0/26")] = BlockAffinity(deleted=True)
    intent = intent_of("a", MESH, affinities)
    assert intent is not None
    assert [str(block) for block in intent.blocks] == ["10.0.0.0/26", "10.1.0.0/26"]


def test_pools_are_announced_withheld_or_left_to_the_agent() -> None:
    pools = [
        pool("plain", cidr="10.1.0.0/16"),
        pool("off", cidr="10.2.0.0/16", disabled=True),
        pool("secret", cidr="10.3.0.0/16", disableBGPExport=True),
        pool("vxlan", cidr="10.4.0.0/16", vxlanMode="Always"),
        pool("ipip", cidr="10.5.0.0/16", ipipMode="CrossSubnet"),
    ]
    for order in permutations(pools):
        intent = resolved("a", *MESH, *order)
        assert [str(cidr) for cidr in intent.pools] == ["10.1.0.0/16", "10.4.0.0/16", "10.5.0.0/16"]
        assert [str(cidr) for cidr in intent.withheld_pools] == ["10.3.0.0/16"]
        assert [str(cidr) for cidr in intent.agent_pools] == ["10.4.0.0/16", "10.5.0.0/16"]


def test_the_router_id_is_the_nodes_ipv4_address_or_made_from_its_name() -> None:
    assert str(resolved("a", *MESH).router_id) == "172.30.0.8"
    ids = {str(resolved(name, node(name, ipv6Address="fd00::1")).router_id) for name in ("x", "y")}
    assert len(ids) == 2
    assert all(int(text.split(".")[0]) < 224 for text in ids)


@pytest.mark.parametrize(
    ("cluster", "own", "level"),
    [("Warning", None, LogLevel.WARNING), ("Warning", "Debug", LogLevel.DEBUG), ("Loud", None, LogLevel.INFO)],
)
def test_the_log_level_is_the_nodes_or_the_clusters(cluster: str, own: str | None, level: LogLevel) -> None:
    settings = [configuration(logSeverityScreen=cluster)]
    settings += [configuration("node.a", logSeverityScreen=own)] if own else []
    assert resolved("a", *MESH, *settings).log_level is level


def test_a_session_without_an_address_of_our_own_is_our_bug() -> None:
    with pytest.raises(ValueError, match="needs an IPv6 address of our own"):
        RouterIntent(
            router_id=Address.parse("10.0.0.1"),
            local_as=64512,
            ipv4_address=Address.parse("10.0.0.1"),
            peers=(Peer(kind=PeerKind.MESH, address=Address.parse("fd00::2"), as_number=64512),),
        )
