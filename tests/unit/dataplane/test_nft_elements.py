"""Set elements become the kernel's keys and come back the same, networks as intervals."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.dataplane.nft.elements import (
    Piece,
    UnknownElementError,
    element_pieces,
    ifname_key,
    interval,
    pack_piece,
    parse_pieces,
    read_elements,
    read_ifname,
    read_intervals,
)
from tortie.net import TCP, Address, Family, Network
from tortie.ruleset.values import AddressPortElement, Element, SetDeclaration, SetType
from tortie.testing.rulesets import declarations, elements, ifnames, port_ranges

DECLARED = declarations()


@given(
    st.sampled_from(DECLARED).flatmap(lambda d: st.tuples(st.just(d), elements(d))), st.randoms(use_true_random=False)
)
def test_the_elements_of_a_set_come_back_in_whatever_order_they_are_listed(
    case: tuple[SetDeclaration, frozenset[Element]], rng: Random
):
    declaration, wanted = case
    pieces = [piece for element in wanted for piece in element_pieces(element)]
    rng.shuffle(pieces)

    assert read_elements(declaration, parse_pieces(b"".join(map(pack_piece, pieces)))) == wanted


@given(port_ranges())
def test_intervals_come_back_and_the_first_end_that_nft_adds_means_nothing(ranges: tuple[tuple[int, int], ...]):
    pieces = [piece for first, last in ranges for piece in interval(first, last, 2)]
    extra = [] if ranges[0][0] == 0 else [Piece(b"\0\0", end=True)]

    assert tuple(read_intervals([*pieces, *extra])) == ranges


def test_networks_side_by_side_stay_two():
    networks = [Network.parse("10.0.0.0/25"), Network.parse("10.0.0.128/25")]
    pieces = [piece for network in networks for piece in element_pieces(network)]

    assert read_elements(SetDeclaration("s", Family.V4, SetType.NETWORK), reversed(pieces)) == set(networks)


def test_a_network_that_reaches_the_last_address_has_no_end():
    assert element_pieces(Network.parse("255.255.255.255/32")) == (Piece(b"\xff" * 4, open=True),)
    assert element_pieces(Network.parse("0.0.0.0/0")) == (Piece(bytes(4), open=True),)


def test_the_parts_of_a_tuple_are_padded_to_four_bytes():
    element = AddressPortElement(Address.parse("10.1.0.2"), TCP, 443)

    assert element_pieces(element) == (Piece(bytes.fromhex("0a010002 06000000 01bb0000")),)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([Piece(b"\x0a\0\0\0"), Piece(b"\x0a\0\0\x03", end=True)], id="three addresses are no network"),
        pytest.param([Piece(b"\x0a\0\0\x01"), Piece(b"\x0a\0\0\x03", end=True)], id="not aligned"),
        pytest.param([Piece(b"\x0a\0\0\0"), Piece(b"\x0b\0\0\0")], id="two beginnings"),
        pytest.param([Piece(b"\x0a\0\0\0", end=True)], id="an end alone"),
    ],
)
def test_intervals_that_are_no_networks_are_unknown(pieces: list[Piece]):
    with pytest.raises(UnknownElementError):
        read_elements(SetDeclaration("s", Family.V4, SetType.NETWORK), pieces)


@given(ifnames)
def test_interface_names_come_back(name: str):
    assert len(ifname_key(name)) == 16
    assert read_ifname(ifname_key(name)) == name


@pytest.mark.parametrize("name", ["", "x" * 16])
def test_what_no_interface_can_be_called_is_refused(name: str):
    with pytest.raises(ValueError, match="not an interface name"):
        ifname_key(name)
