"""The oracle: which settings count for a host, and which addresses its interfaces have where nobody says."""

import pytest
from verdict_hosts import HOST, PODS, felix, host_endpoint, node, packet, packet_of

from tortie.net import Address, Family
from tortie.verdict import Cluster, HostRef

ACCEPT, DROP = "Accept", "Drop"


@pytest.mark.parametrize(
    ("configurations", "action"),
    [
        ([], DROP),
        ([felix(default_endpoint_to_host_action=ACCEPT)], ACCEPT),
        ([felix("node.host-1", default_endpoint_to_host_action=ACCEPT)], ACCEPT),
        ([felix("node.host-2", default_endpoint_to_host_action=ACCEPT)], DROP),
        ([felix("racks", "rack == 'one'", default_endpoint_to_host_action=ACCEPT)], ACCEPT),
        ([felix("racks", "rack == 'two'", default_endpoint_to_host_action=ACCEPT)], DROP),
        ([felix("racks", "rack ==", default_endpoint_to_host_action=ACCEPT)], DROP),
        ([felix("racks", default_endpoint_to_host_action=ACCEPT)], DROP),
        (
            [
                felix(default_endpoint_to_host_action=DROP),
                felix("racks", "all()", default_endpoint_to_host_action=ACCEPT),
            ],
            ACCEPT,
        ),
        (
            [
                felix("racks", "all()", default_endpoint_to_host_action=DROP),
                felix("node.host-1", default_endpoint_to_host_action=ACCEPT),
            ],
            ACCEPT,
        ),
        (
            [
                felix("a", "all()", "2026-01-02T00:00:00Z", default_endpoint_to_host_action=DROP),
                felix("b", "all()", "2026-01-01T00:00:00Z", default_endpoint_to_host_action=ACCEPT),
            ],
            ACCEPT,
        ),
        (
            [
                felix("b", "all()", default_endpoint_to_host_action=DROP),
                felix("a", "all()", default_endpoint_to_host_action=ACCEPT),
            ],
            ACCEPT,
        ),
        (
            [
                felix(default_endpoint_to_host_action=ACCEPT),
                felix("node.host-1", vxlan_port=8472),
            ],
            ACCEPT,
        ),
    ],
    ids=[
        "default",
        "global",
        "of the host",
        "of another host",
        "selecting",
        "selecting others",
        "unreadable selector",
        "no selector",
        "selecting over global",
        "of the host over selecting",
        "oldest",
        "of one age by name",
        "field by field",
    ],
)
def test_which_configuration_counts(configurations, action):
    view = Cluster.of([*PODS, node(labels={"rack": "one"}), *configurations]).host_view("host-1")
    assert view.passes(packet("pod to host")) is (action == ACCEPT)


def test_a_selector_selects_no_host_without_a_node():
    accepting = felix("racks", "all()", default_endpoint_to_host_action=ACCEPT)
    assert not Cluster.of([*PODS, accepting]).host_view("host-1").passes(packet("pod to host"))


# --- interfaces ------------------------------------------------------------------------------------------------------------

BY_ADDRESS = host_endpoint(interface="", expected=[HOST])


@pytest.mark.parametrize(
    ("resources", "closed"),
    [
        ([BY_ADDRESS], {"eth0", "eth1"}),
        ([BY_ADDRESS, node(bgp=f"{HOST}/24")], {"eth0", "eth1"}),
        ([BY_ADDRESS, node(bgp="192.0.2.253/24")], set()),
        ([BY_ADDRESS, node(bgp=f"{HOST}/24", interfaces={"eth0": [HOST]})], {"eth0"}),
        ([BY_ADDRESS, node(interfaces={"eth0": ["192.0.2.1/24"], "eth1": [f"{HOST}/24"]})], {"eth1"}),
        ([host_endpoint(interface="", expected=["127.0.0.1"]), node(bgp=HOST)], {"lo"}),
        ([host_endpoint(interface="", expected=["fd05::1"]), node(bgp=HOST)], {"eth0", "eth1"}),
    ],
    ids=["nothing known", "the node's own", "not the node's", "listed", "listed elsewhere", "loopback", "other family"],
)
def test_where_an_endpoint_stands_that_is_known_by_address_alone(resources, closed):
    view = Cluster.of([*PODS, *resources]).host_view("host-1")
    arriving = {name: packet_of(name, None, "192.0.2.9", HOST) for name in ("lo", "eth0", "eth1")}
    assert {name for name, asked in arriving.items() if not view.passes(asked)} == closed


def test_what_the_caller_says_of_interfaces_is_all_that_counts():
    cluster = Cluster.of([*PODS, BY_ADDRESS, node(bgp=HOST)], interfaces={"host-1": {"eth1": [Address.parse(HOST)]}})
    arriving = packet_of("eth0", None, "192.0.2.9", HOST)
    assert cluster.host_view("host-1").passes(arriving)
    assert not cluster.host_view("host-1", {"eth0": [Address.parse(HOST)]}).passes(arriving)


@pytest.mark.parametrize(
    ("resources", "uplink"),
    [
        ([], "uplink"),
        ([host_endpoint(interface="eth7"), host_endpoint("all", "*"), host_endpoint("lo", "lo")], "eth7"),
        ([node(interfaces={"eth3": ["192.0.2.1/24"], "eth1": ["198.51.100.1/24"], "lo": [HOST]})], "eth1"),
        ([node(interfaces={"eth3": [f"{HOST}/24"], "eth1": ["198.51.100.1/24"]})], "eth3"),
    ],
    ids=["nothing known", "named by an endpoint", "the first listed", "the one with the address"],
)
def test_over_which_interface_a_host_is_reached(resources, uplink):
    cluster = Cluster.of([*PODS, *resources])
    assert cluster.uplink(HostRef("host-1", Address.parse(HOST))) == uplink
    assert cluster.uplink(HostRef("host-1", Address.parse(HOST), "wlan0")) == "wlan0"


def test_a_host_is_known_by_its_nodes_address_or_else_by_what_its_endpoints_expect():
    assert Cluster.of([node(bgp=f"{HOST}/24"), BY_ADDRESS]).host("host-1", Family.V4) == HostRef(
        "host-1", Address.parse(HOST)
    )
    assert Cluster.of([BY_ADDRESS]).host("host-1", Family.V4).address == Address.parse(HOST)
    with pytest.raises(LookupError, match="no IPv6 address of host host-1 is known"):
        Cluster.of([BY_ADDRESS]).host("host-1", Family.V6)
