"""Questions are read and answered as RFC 1035 says, and nothing that arrives can stop the server."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.lab.dns import answer
from tortie.lab.dnsmessage import UDP_SIZE, MessageError, Rcode, format_answer, parse_query
from tortie.net import Address, Family

NAMES = {
    "nginx.shop.svc.cluster.local": (Address.parse("10.96.0.11"), Address.parse("fd00:96::b")),
    "four.shop.svc.cluster.local": (Address.parse("10.96.0.12"),),
}
A, AAAA, MX, ANY = 1, 28, 15, 255
AA, TC = 0x0400, 0x0200


def question(name: str, kind: int = A, kind_class: int = 1, *, flags: int = 0x0100, count: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 0x1234, flags, count, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, kind_class)


def rcode(message: bytes) -> Rcode:
    return Rcode(message[3] & 0xF)


def records(message: bytes, asked: bytes) -> list[str]:
    """The addresses in an answer to the question *asked*, as text."""
    place, found = len(asked), []
    for _ in range(int.from_bytes(message[6:8])):
        pointer, _, kind_class, ttl, length = struct.unpack_from("!3HIH", message, place)
        assert (pointer, kind_class, ttl) == (0xC00C, 1, 5)
        found.append(str(Address(message[place + 12 : place + 12 + length])))
        place += 12 + length
    assert place == len(message)
    return found


@pytest.mark.parametrize(
    ("name", "kind", "code", "addresses"),
    [
        pytest.param("nginx.shop.svc.cluster.local", A, Rcode.NOERROR, ["10.96.0.11"], id="A"),
        pytest.param("nginx.shop.svc.cluster.local", AAAA, Rcode.NOERROR, ["fd00:96::b"], id="AAAA"),
        pytest.param("nginx.shop.svc.cluster.local", ANY, Rcode.NOERROR, ["10.96.0.11", "fd00:96::b"], id="any"),
        pytest.param("nginx.shop.svc.cluster.local", MX, Rcode.NOERROR, [], id="another-type"),
        pytest.param("four.shop.svc.cluster.local", AAAA, Rcode.NOERROR, [], id="no-address-of-the-family"),
        pytest.param("NGINX.Shop.svc.cluster.LOCAL", A, Rcode.NOERROR, ["10.96.0.11"], id="case-does-not-matter"),
        pytest.param("shop.svc.cluster.local", A, Rcode.NOERROR, [], id="only-others-end-in-it"),
        pytest.param("op.svc.cluster.local", A, Rcode.NXDOMAIN, [], id="only-part-of-a-label"),
        pytest.param("nginx.other.svc.cluster.local", A, Rcode.NXDOMAIN, [], id="nobody-s"),
        pytest.param("nginx", A, Rcode.NXDOMAIN, [], id="short-names-are-the-resolver-s"),
    ],
)
def test_a_question_gets_the_addresses_of_its_name_and_family(
    name: str, kind: int, code: Rcode, addresses: list[str]
) -> None:
    asked = question(name, kind)
    answered = answer(NAMES, asked)
    assert answered[:2] == asked[:2], "the same number"
    assert answered[12 : len(asked)] == asked[12:], "the question as it came, letter by letter"
    assert int.from_bytes(answered[2:4]) & AA
    assert (rcode(answered), records(answered, asked)) == (code, addresses)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param(question("a", count=0), Rcode.FORMERR, id="no-question"),
        pytest.param(question("a", count=2), Rcode.FORMERR, id="two-questions"),
        pytest.param(question("a")[:-1], Rcode.FORMERR, id="ends-early"),
        pytest.param(question("a")[:12] + b"\xc0\x0c\0\1\0\1", Rcode.FORMERR, id="points-to-itself"),
        pytest.param(question("a" * 64), Rcode.FORMERR, id="label-too-long"),
        pytest.param(question(".".join(["a" * 60] * 5)), Rcode.FORMERR, id="name-too-long"),
        pytest.param(question("a", flags=0x2800), Rcode.NOTIMP, id="an-update"),
        pytest.param(question("a", kind_class=3), Rcode.REFUSED, id="chaos"),
    ],
)
def test_what_cannot_be_answered_is_told_why(message: bytes, code: Rcode) -> None:
    answered = answer(NAMES, message)
    assert answered[:2] == message[:2]
    assert rcode(answered) is code


@pytest.mark.parametrize("message", [b"", b"\0" * 11, question("a", flags=0x8000)], ids=["empty", "short", "answer"])
def test_what_is_no_question_gets_no_answer(message: bytes) -> None:
    with pytest.raises(MessageError):
        parse_query(message)


def test_what_follows_the_question_is_not_read() -> None:
    with_edns = question("nginx.shop.svc.cluster.local") + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    assert records(answer(NAMES, with_edns), question("nginx.shop.svc.cluster.local")) == ["10.96.0.11"]


def test_a_dot_inside_a_label_is_not_the_one_between_labels() -> None:
    inside = question("nginx shop.svc.cluster.local").replace(b"nginx shop", b"nginx.shop")
    assert rcode(answer(NAMES, inside)) is Rcode.NXDOMAIN


def test_an_answer_that_does_not_fit_says_so_and_is_whole_over_tcp() -> None:
    many = {"many.shop": tuple(Address.parse("10.0.0.0") + number for number in range(100))}
    asked = question("many.shop")
    cut, whole = answer(many, asked), answer(many, asked, 0xFFFF)
    assert len(cut) <= UDP_SIZE < len(whole)
    assert int.from_bytes(cut[2:4]) & TC
    assert not int.from_bytes(whole[2:4]) & TC
    assert records(whole, asked) == [str(address) for address in many["many.shop"]]
    assert records(cut, asked) == records(whole, asked)[: len(records(cut, asked))]


@given(st.binary(max_size=600) | st.binary(max_size=40).map(lambda tail: question("nginx.shop")[:14] + tail))
def test_anything_at_all_is_answered_or_ignored(message: bytes) -> None:
    try:
        answered = answer(NAMES, message)
    except MessageError:
        return
    assert answered[:2] == message[:2]
    assert len(answered) <= UDP_SIZE


@given(
    st.lists(st.sampled_from([Address.parse("10.0.0.1"), Address.parse("fd00::1")]), max_size=60), st.integers(60, 900)
)
def test_an_answer_keeps_its_limit_and_its_order(addresses: list[Address], limit: int) -> None:
    asked = question("nginx.shop.svc.cluster.local", ANY)
    answered = format_answer(parse_query(asked), Rcode.NOERROR, addresses, limit=limit)
    assert len(answered) <= limit
    kept = records(answered, asked)
    assert kept == [str(address) for address in addresses[: len(kept)]]
    assert parse_query(asked).families == frozenset(Family)
