"""Messages and attributes have the layout of linux/netlink.h, and are read back as they were written."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.dataplane.netlink.message import (
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLMSG_ERROR,
    Frame,
    Message,
    attribute,
    attribute_map,
    attributes,
    be16,
    be32,
    be64,
    frames,
    nest,
    read_text,
    text,
    u8,
    u16,
    u32,
)
from tortie.dataplane.netlink.socket import error_of

payloads = st.binary(max_size=40)


def test_a_message_is_a_header_in_host_order_and_a_payload():
    packed = Message(type=0x0A0C, flags=NLM_F_ACK, payload=b"\x01\x02").pack(sequence=7)

    assert struct.unpack("=IHHII", packed[:16]) == (18, 0x0A0C, NLM_F_ACK | 1, 7, 0)
    assert packed[16:] == b"\x01\x02\0\0", "padded to 4 bytes, which its length does not count"


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), payloads)))
def test_messages_of_one_datagram_are_taken_apart_again(sent: list[tuple[int, int, bytes]]):
    data = b"".join(Message(kind, 0, payload).pack(sequence) for kind, sequence, payload in sent)

    assert [(frame.type, frame.sequence, frame.payload) for frame in frames(data)] == sent


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), payloads)))
def test_attributes_come_back_in_order(wanted: list[tuple[int, bytes]]):
    packed = b"".join(attribute(kind, value) for kind, value in wanted)

    assert len(packed) % 4 == 0
    assert list(attributes(b"head" + packed, 4)) == wanted


def test_a_nested_attribute_holds_attributes_and_is_marked():
    nested = nest(5, u8(1, 9), text(2, "eth0"))

    assert nested[2:4] == struct.pack("=H", 5 | 0x8000)
    ((kind, contents),) = attributes(nested)
    assert (kind, attribute_map(contents)) == (5, {1: b"\x09", 2: b"eth0\0"})
    assert read_text(attribute_map(contents)[2]) == "eth0"


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        pytest.param(u8(1, 0x12), b"\x12", id="8 bits"),
        pytest.param(be16(1, 0x1234), b"\x12\x34", id="16 bits, network order"),
        pytest.param(be32(1, 0x12345678), b"\x12\x34\x56\x78", id="32 bits, network order"),
        pytest.param(be64(1, 0x12), bytes(7) + b"\x12", id="64 bits, network order"),
        pytest.param(u16(1, 0x1234), struct.pack("=H", 0x1234), id="16 bits, host order"),
        pytest.param(u32(1, 0x12345678), struct.pack("=I", 0x12345678), id="32 bits, host order"),
    ],
)
def test_numbers_have_the_byte_order_that_their_name_says(packed: bytes, value: bytes):
    assert attribute_map(packed) == {1: value}


@pytest.mark.parametrize("cut", range(1, 16))
def test_what_is_cut_off_is_not_read(cut: int):
    whole = Message(1, 0, b"").pack(1)
    assert list(frames(whole[:-cut])) == []
    assert list(attributes(attribute(1, b"12345678")[:3])) == []


def test_lengths_that_make_no_sense_end_the_reading():
    assert list(frames(bytes(32))) == []
    assert list(attributes(bytes(8))) == []


def refusal_frame(flags: int, code: int, details: bytes, echoed: bytes = b"") -> Frame:
    """An NLMSG_ERROR with the refused message's header, or (unless capped) all of it, echoed, then the details."""
    header = struct.pack("=IHHII", 16 + len(echoed), 0x0A0C, 0, 12, 0)
    return Frame(NLMSG_ERROR, flags, 12, struct.pack("=i", -code) + header + echoed + details)


DETAILS = text(1, "No such set") + u32(2, 76)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(refusal_frame(NLM_F_ACK_TLVS | NLM_F_CAPPED, 2, DETAILS), id="header echoed"),
        pytest.param(refusal_frame(NLM_F_ACK_TLVS, 2, DETAILS, b"12345678"), id="whole message echoed"),
    ],
)
def test_a_refusal_says_which_message_why_and_where(frame: Frame):
    error = error_of(frame, first_sequence=10)

    assert error is not None
    assert (error.errno, error.index, error.detail, error.offset) == (2, 2, "No such set", 76)
    assert str(error) == "[Errno 2] No such file or directory (No such set)"


def test_a_refusal_without_details_is_named_by_its_code():
    error = error_of(refusal_frame(NLM_F_CAPPED, 31, b""), first_sequence=12)

    assert error is not None
    assert (error.detail, error.offset) == ("EMLINK", None)


def test_an_acknowledgement_is_no_refusal():
    assert error_of(refusal_frame(NLM_F_CAPPED, 0, b""), first_sequence=12) is None
