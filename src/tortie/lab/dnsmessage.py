"""DNS messages, as far as a server of addresses needs them (RFC 1035 §4, RFC 3596): one question in, addresses out.

    header 12 bytes │ question: labels, type, class │ answers: pointer to the question's name, type, class, TTL, address

Values only. The question goes back byte for byte as it came, for some resolvers check the case of its letters. What follows it
(an OPT record of EDNS, say) is not read: the answer is that of a server from before EDNS (RFC 6891 §7).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from tortie.net import Address, Family

UDP_SIZE = 512
"""What an answer over UDP may take (RFC 1035 §4.2.1); a longer one is cut, and asked for again over TCP."""

TTL_S = 5
"""How long an answer may be kept: what Kubernetes' own server says of services."""

TYPE_A = 1
TYPE_AAAA = 28
TYPE_ANY = 255
_CLASS_IN = 1

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!3HIH")
_NAME_OF_QUESTION = 0xC000 | _HEADER.size
"""A pointer to where the question's name stands (RFC 1035 §4.1.4)."""

_QR, _AA, _TC, _RD, _RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_OPCODE = 0x7800


class Rcode(IntEnum):
    """How a question ended (RFC 1035 §4.1.1)."""

    NOERROR = 0
    FORMERR = 1
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


class MessageError(ValueError):
    """Not a message that can be answered at all: no header, or an answer itself."""


class Query(NamedTuple):
    """What is asked, or why that cannot be read."""

    id: int
    flags: int
    question: bytes = b""
    """As it came."""
    name: str = ""
    """In lower case, without the dot at its end; a dot inside a label is written ``\\.``."""
    type: int = 0
    error: Rcode = Rcode.NOERROR

    @property
    def families(self) -> frozenset[Family]:
        """The families of the addresses asked for; none for a question about something else."""
        wanted = {TYPE_A: {Family.V4}, TYPE_AAAA: {Family.V6}, TYPE_ANY: set(Family)}
        return frozenset(wanted.get(self.type, set()))


def parse_query(message: bytes) -> Query:
    """Read a question; one that is malformed or of another kind comes with the ``error`` to answer. MessageError."""
    if len(message) < _HEADER.size:
        raise MessageError(f"{len(message)} bytes are no DNS message: its header has {_HEADER.size}")
    number, flags, questions, *_ = _HEADER.unpack_from(message)
    if flags & _QR:
        raise MessageError("a DNS answer, where a question was expected")
    if flags & _OPCODE:
        return Query(number, flags, error=Rcode.NOTIMP)
    try:
        if questions != 1:
            raise MessageError(f"{questions} questions in one message")
        name, end = _parse_name(message)
        kind, kind_class = _QUESTION.unpack_from(message, end)
    except (MessageError, struct.error):
        return Query(number, flags, error=Rcode.FORMERR)
    question = message[_HEADER.size : end + _QUESTION.size]
    error = Rcode.NOERROR if kind_class in (_CLASS_IN, TYPE_ANY) else Rcode.REFUSED
    return Query(number, flags, question, name, kind, error)


def format_answer(query: Query, rcode: Rcode, addresses: Sequence[Address] = (), *, limit: int = UDP_SIZE) -> bytes:
    """The answer to *query*, at most *limit* bytes: records beyond that are left out, and the answer says that it is cut."""
    records = [_record(address) for address in addresses]
    room = limit - _HEADER.size - len(query.question)
    kept, length = [], 0
    for record in records:
        length += len(record)
        if length > room:
            break
        kept.append(record)
    cut = _TC if len(kept) < len(records) else 0
    flags = _QR | _AA | _RA | cut | (query.flags & (_OPCODE | _RD)) | rcode
    return _HEADER.pack(query.id, flags, bool(query.question), len(kept), 0, 0) + query.question + b"".join(kept)


def _parse_name(message: bytes) -> tuple[str, int]:
    """The question's name, and where it ends; MessageError. A first name has nothing before it to point to."""
    labels: list[str] = []
    place = _HEADER.size
    while length := _byte(message, place):
        if length > 63 or place + length - _HEADER.size > 253:
            raise MessageError("a label or a name is too long")
        label = message[place + 1 : place + 1 + length]
        labels.append(label.decode("latin-1").replace(".", "\\.").lower())
        place += 1 + length
    return ".".join(labels), place + 1


def _byte(message: bytes, place: int) -> int:
    if place >= len(message):
        raise MessageError("the message ends inside a name")
    return message[place]


def _record(address: Address) -> bytes:
    kind = TYPE_A if address.family is Family.V4 else TYPE_AAAA
    return _RECORD.pack(_NAME_OF_QUESTION, kind, _CLASS_IN, TTL_S, len(address.packed)) + address.packed
