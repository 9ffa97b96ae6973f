"""Names of sets of tuples and their elements are read as they are written."""

import pytest

from tortie.model.policy import Action
from tortie.net import ICMPV6, SCTP, TCP, Address, Family, Protocol
from tortie.ruleset.names import MAX_SET_NAME, part_prefix
from tortie.ruleset.runs.keysets import KeySet, KeySetName, parse_key
from tortie.ruleset.runs.shapes import SET_TYPES, Shape, Space, set_family
from tortie.ruleset.values import families_of

V4, V6 = Family
A4, A6 = Address.parse("10.0.0.1"), Address.parse("fd00::1")
GROUPS = ("gi-default_4kq2m3ab5c", "gui-kube-admin_4kq2m3ab5c-17", "go-deny-metadata", "guo-a_aaaaaaaaaa-1234567")


def spaces() -> list[Space]:
    found = []
    for shape in Shape:
        of_types = families_of(SET_TYPES[shape])
        found += [Space(shape, family) for family in ((V4, V6, None) if of_types == (None,) else of_types)]
    return found


@pytest.mark.parametrize("run", [0, 7, 31])
@pytest.mark.parametrize("chain", GROUPS)
def test_a_name_fits_the_kernel_and_says_what_the_set_is(chain, run):
    for space in spaces():
        for action in (Action.ALLOW, Action.DENY, Action.PASS):
            name = KeySet(run, space, action, part_prefix(chain)).name
            assert len(name) <= MAX_SET_NAME
            assert KeySetName.parse(name) == (chain.partition("-")[0], space, action)


def test_groups_of_other_names_have_other_sets():
    assert len({part_prefix(chain) for chain in GROUPS}) == len(GROUPS)
    assert part_prefix("gi-default_4kq2m3ab5c") == "gi-_4kq2m3ab5c"


def test_shapes_that_can_be_of_both_families_at_once_are_sets_of_none():
    assert {space.shape for space in spaces() if set_family(space) is None} == {Shape.PORT, Shape.PROTOCOL}


@pytest.mark.parametrize(
    "text", ["", "s4-abc", "gi-_4kq2m3ab5c-r3fz-4", "gi-_4kq2m3ab5c-XX4-allow", "gi-_4kq2m3ab5c-SD4-log"]
)
def test_other_names_are_refused(text):
    with pytest.raises(ValueError, match="is not a set of tuples"):
        KeySetName.parse(text)


@pytest.mark.parametrize(
    ("text", "space", "key"),
    [
        ("10.0.0.1 . tcp . 80", Space(Shape.PEER_PORT, V4), (A4, TCP, 80)),
        ("fd00::1 . sctp . 65535", Space(Shape.LOCAL_PORT, V6), (A6, SCTP, 65535)),
        ("10.0.0.1 . gre", Space(Shape.PEER_PROTOCOL, V4), (A4, Protocol(47))),
        ("fd00::1 . ipv6-icmp", Space(Shape.PEER_PROTOCOL, V6), (A6, ICMPV6)),
        ("10.0.0.1 . echo-request", Space(Shape.PEER_ICMP, V4), (A4, 8)),
        ("fd00::1 . echo-request", Space(Shape.PEER_ICMP, V6), (A6, 128)),
        ("10.0.0.1", Space(Shape.PEER, V4), A4),
        ("tcp . 443", Space(Shape.PORT, None), (TCP, 443)),
        ("255", Space(Shape.PROTOCOL, None), (Protocol(255),)),
        ("42", Space(Shape.ICMP, V4), (42,)),
    ],
)
def test_elements_are_read_as_nft_prints_them(text, space, key):
    assert parse_key(text, space) == key


@pytest.mark.parametrize(
    "text", ["10.0.0.1 . tcp . 65536", "10.0.0.1 . tcp", "10.0.0.1.tcp.80", "fd00::1 . tcp . 80", "x . tcp . 80"]
)
def test_what_is_no_element_is_refused(text):
    with pytest.raises(ValueError, match="is not"):
        parse_key(text, Space(Shape.PEER_PORT, V4))
