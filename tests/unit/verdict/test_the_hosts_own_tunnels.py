"""The oracle on packets of the hosts' tunnels: hosts of the cluster may send them to each other, and nobody else to a host."""

import pytest
from verdict_hosts import EVERYTHING, HOST, A, felix, host, host_endpoint, node, packet_of

from tortie.model.ipam import IPPool, IPPoolSpec
from tortie.model.meta import ObjectMeta
from tortie.model.topology import Node, NodeAddress, NodeSpec
from tortie.net import IPIP, TCP, UDP, Network
from tortie.verdict import Cause

OTHER, STRANGER = "192.0.2.7", "192.0.2.9"
OTHER_V6, STRANGER_V6, HOST_V6 = "2001:db8::7", "2001:db8::9", "2001:db8::fe"
NODES = [
    node("host-1", bgp=f"{HOST}/24"),
    node("host-2", bgp=f"{OTHER}/24"),
    Node(
        metadata=ObjectMeta(name="host-3"),
        spec=NodeSpec(addresses=(NodeAddress(address=OTHER_V6, type="InternalIP"),)),
    ),
]


def pool(cidr="10.0.0.0/16", **modes):
    return IPPool(metadata=ObjectMeta(name="pool"), spec=IPPoolSpec(cidr=Network.parse(cidr), **modes))


IPIP_POOL, VXLAN_POOL = pool(ipip_mode="CrossSubnet"), pool(vxlan_mode="Always")
VXLAN_V6_POOL = pool("fd00::/64", vxlan_mode="Always")
CASES = [
    pytest.param(IPIP_POOL, OTHER, IPIP, None, True, id="IPIP of a host"),
    pytest.param(IPIP_POOL, STRANGER, IPIP, None, False, id="IPIP of a stranger"),
    pytest.param(VXLAN_POOL, OTHER, UDP, 4789, True, id="VXLAN of a host"),
    pytest.param(VXLAN_POOL, STRANGER, UDP, 4789, False, id="VXLAN of a stranger"),
    pytest.param(VXLAN_V6_POOL, OTHER_V6, UDP, 4789, True, id="VXLAN of a host, over IPv6"),
    pytest.param(VXLAN_V6_POOL, STRANGER_V6, UDP, 4789, False, id="VXLAN of a stranger, over IPv6"),
]
NO_TUNNELS = [
    pytest.param(pool(), OTHER, IPIP, None, id="no encapsulation"),
    pytest.param(IPIP_POOL, OTHER, UDP, 4789, id="VXLAN where pools need IPIP"),
    pytest.param(VXLAN_POOL, OTHER, IPIP, None, id="IPIP where pools need VXLAN"),
    pytest.param(VXLAN_POOL, OTHER_V6, UDP, 4789, id="the other family"),
    pytest.param(VXLAN_POOL, OTHER, UDP, 4788, id="another port"),
    pytest.param(VXLAN_POOL, OTHER, TCP, 4789, id="another protocol"),
]


def arriving(source, protocol, port):
    return packet_of("eth0", None, source, HOST_V6 if ":" in source else HOST, protocol, port)


def leaving(destination, protocol, port):
    return packet_of(None, "eth0", HOST_V6 if ":" in destination else HOST, destination, protocol, port)


@pytest.mark.parametrize(("used", "other", "protocol", "port", "is_host"), CASES)
def test_a_hosts_tunnel_needs_no_policy_of_host_endpoints_and_a_strangers_gets_in_nowhere(
    used, other, protocol, port, is_host
):
    closed, open_host = host(EVERYTHING, used, *NODES), host(used, *NODES)
    assert closed.passes(arriving(other, protocol, port)) is is_host
    assert open_host.passes(arriving(other, protocol, port)) is is_host
    assert closed.passes(leaving(other, protocol, port)) is is_host
    assert open_host.passes(leaving(other, protocol, port))


@pytest.mark.parametrize(("used", "other", "protocol", "port"), NO_TUNNELS)
def test_what_no_pool_needs_is_traffic_like_any_other(used, other, protocol, port):
    packets = [arriving(other, protocol, port), leaving(other, protocol, port)]
    assert [host(used, *NODES).passes(packet) for packet in packets] == [True, True]
    assert [host(EVERYTHING, used, *NODES).passes(packet) for packet in packets] == [False, False]


def test_the_port_of_vxlan_is_the_settings():
    view = host(EVERYTHING, VXLAN_POOL, *NODES, felix(vxlan_port=8472), accept=False)
    assert view.passes(arriving(OTHER, UDP, 8472))
    assert not view.passes(arriving(OTHER, UDP, 4789))


def test_whom_the_settings_list_counts_as_a_host():
    settings = felix(external_nodes_cidr_list=("192.0.2.8/31",), default_endpoint_to_host_action="Accept")
    for resources in ([], [EVERYTHING]):
        view = host(*resources, IPIP_POOL, *NODES, settings, accept=False)
        assert view.passes(arriving(STRANGER, IPIP, None))
        assert view.passes(leaving(STRANGER, IPIP, None))
        assert not view.passes(arriving("192.0.2.10", IPIP, None))


def test_no_setting_lets_a_workload_send_its_host_a_tunnels_packet():
    settings = felix(allow_ipip_packets_from_workloads=True, default_endpoint_to_host_action="Accept")
    sent = packet_of(A, None, "10.0.0.1", HOST, IPIP)
    assert host(settings, pool(), accept=False).passes(sent)
    assert not host(settings, IPIP_POOL, *NODES, accept=False).passes(sent)


def test_the_reasoning_tells_of_it():
    for other, cause in ((OTHER, Cause.HOSTS_TUNNEL), (STRANGER, Cause.STRANGERS_TUNNEL)):
        verdict = host(host_endpoint(), IPIP_POOL, *NODES).judge(arriving(other, IPIP, None))
        assert cause in {decision.cause for decision in verdict.decisions}
