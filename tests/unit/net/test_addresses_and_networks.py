"""Addresses and networks: reading, printing, order, containment."""

import ipaddress
import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.net import Address, Family, Network

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(lambda address: Address(address.packed))


@given(addresses)
def test_an_address_survives_its_text(address):
    assert Address.parse(str(address)) == address


@given(addresses)
def test_the_text_is_the_canonical_one_of_the_standard_library(address):
    # Both follow RFC 5952, except that inet_ntop writes the last 32 bits of some IPv6 addresses as IPv4.
    assert ipaddress.ip_address(str(address)).packed == address.packed
    assert str(address) == str(address).lower()


@pytest.mark.parametrize("value", [Address.parse("10.0.0.1"), Network.parse("fd00::/8")], ids=str)
def test_a_pickled_value_is_itself_in_a_process_that_hashes_otherwise(value):
    script = (
        "import pickle, sys; found, text = pickle.load(sys.stdin.buffer); print({type(found).parse(text): 1}[found])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps((value, str(value))), capture_output=True, check=False,
        env=os.environ | {"PYTHONHASHSEED": "4711"},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"1\n", b"")


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.256", "fd00::g", "10.0.0.1/32", "host", "fe80::1%eth0"])
def test_what_is_no_address_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"is not an IP address such as 10\.0\.0\.1 or fd00::1"):
        Address.parse(text)


def test_an_address_of_five_bytes_is_refused():
    with pytest.raises(ValueError, match="4 or 16 bytes, not 5"):
        Address(b"12345")


def test_addresses_sort_by_family_then_number():
    texts = ["::1", "10.0.0.2", "255.255.255.255", "10.0.0.10", "::"]
    assert [str(a) for a in sorted(map(Address.parse, texts))] == [
        "10.0.0.2",
        "10.0.0.10",
        "255.255.255.255",
        "::",
        "::1",
    ]


def test_adding_counts_up_and_stops_at_the_end_of_the_family():
    assert Address.parse("10.0.0.255") + 1 == Address.parse("10.0.1.0")
    with pytest.raises(OverflowError):
        Address.parse("255.255.255.255") + 1


def test_a_bare_address_is_a_network_of_one():
    assert Network.parse("10.0.0.1") == Address.parse("10.0.0.1").network()
    assert str(Network.parse("fd00::1")) == "fd00::1/128"
    assert Network.parse("fd00::1").is_host


@pytest.mark.parametrize("text", ["10.0.0.1/8", "fd00::1/64"], ids=["ipv4", "ipv6"])
def test_host_bits_are_refused_by_name_of_the_network_unless_asked_to_clear_them(text):
    with pytest.raises(ValueError, match="has host bits set; the network is"):
        Network.parse(text)
    cleared = Network.parse(text, strict=False)
    assert cleared.contains(Network.parse(text.partition("/")[0]))


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "::/129", "10.0.0.0/-1", "/8", "net", "010.0.0.0/8", "10.0/8", "10.0.0.0/", "10.0.0.0\0/8"]
)
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError, match="is not a network such as"):
        Network.parse(text)


@pytest.mark.parametrize(("packed", "prefix_len"), [(b"1234", 33), (b"12345", 8), (bytes(3) + b"\1", 31)])
def test_a_network_made_of_parts_is_checked_too(packed, prefix_len):
    with pytest.raises(ValueError):
        Network(packed, prefix_len)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.0/8", "10.0.0.0/8", True),
        ("10.0.0.0/8", "10.0.0.0/7", False),
        ("0.0.0.0/0", "255.255.255.255", True),
        ("0.0.0.0/0", "::", False),
        ("::/0", "0.0.0.0", False),
        ("fd00::/64", "fd00::ffff", True),
    ],
)
def test_containment_is_of_whole_networks_and_within_a_family(outer, inner, expected):
    assert Network.parse(outer).contains(Network.parse(inner, strict=False)) is expected
    if "/" not in inner:
        assert Network.parse(outer).contains(Address.parse(inner)) is expected


@given(addresses, st.integers(0, 128))
def test_a_network_contains_every_address_it_was_cut_from(address, length):
    length = min(length, address.family.bits)
    network = Network.parse(f"{address}/{length}", strict=False)
    assert network.contains(address)
    assert network.size == 2 ** (address.family.bits - length)
    assert Network.parse(str(network)) == network


def test_networks_sort_by_family_address_and_length():
    texts = ["::/0", "10.0.0.0/16", "10.0.0.0/8", "9.0.0.0/8"]
    assert [str(n) for n in sorted(map(Network.parse, texts))] == ["9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16", "::/0"]


def test_an_address_is_not_equal_to_its_network_and_families_are_apart():
    assert Address.parse("10.0.0.1") != Address.parse("10.0.0.1").network()
    assert Network.parse("0.0.0.0/0") != Network.parse("::/0")
    assert (Address.parse("10.0.0.1").family, Network.parse("::/0").family) == (Family.V4, Family.V6)


def test_a_network_has_one_object_for_its_address():
    network = Network.parse("10.0.0.1")
    assert network.address == Address.parse("10.0.0.1")
    assert network.address is network.address


def test_equal_values_are_one_key():
    assert len({Address.parse("fd00::1"), Address.parse("fd00:0::1"), Network.parse("fd00::1")}) == 2
