"""Addresses in as few places as networks tell apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tortie.analysis.reach.places import Places
from tortie.net import Address, Network

NETWORKS = st.builds(
    lambda number, length: Network((number >> (32 - length) << (32 - length)).to_bytes(4, "big"), length),
    st.integers(0x0A000000, 0x0A0000FF),
    st.integers(24, 32),
)
ADDRESSES = st.integers(0x0A000000, 0x0A0000FF).map(lambda number: Address(number.to_bytes(4, "big")))


@given(st.lists(NETWORKS, max_size=8), ADDRESSES, ADDRESSES)
def test_a_place_says_of_every_network_whether_an_address_is_in_it(
    networks: list[Network], address: Address, other: Address
) -> None:
    places = Places(networks)
    assert [network for network in networks if network.contains(address)] == [
        network for network in networks if places.at(address) in places.within(network)
    ]
    same = [network.contains(address) for network in networks] == [network.contains(other) for network in networks]
    assert (places.at(address) == places.at(other)) is same


@given(st.lists(NETWORKS, max_size=8), st.sets(ADDRESSES, max_size=4))
def test_an_address_of_a_place_is_the_first_that_nobody_has(networks: list[Network], taken: set[Address]) -> None:
    places = Places(networks)
    for number, place in enumerate(places.places):
        found = place.an_address(taken)
        if place.network.size <= 256:
            inside = (place.network.address + offset for offset in range(place.network.size))
            assert found == next((a for a in inside if places.at(a) == number and a not in taken), None)


def test_a_place_is_called_by_what_it_lacks() -> None:
    networks = map(Network.parse, ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "192.168.0.0/16"))
    assert [str(place) for place in Places(networks).places] == [
        "0.0.0.0/0 except 10.0.0.0/8, 192.168.0.0/16",
        "10.0.0.0/8 except 10.1.0.0/16",
        "10.1.0.0/16 except 10.1.2.0/24",
        "10.1.2.0/24",
        "192.168.0.0/16",
        "::/0",
    ]
