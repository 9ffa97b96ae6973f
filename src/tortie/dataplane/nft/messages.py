"""nf_tables messages about our table: what creates, changes, deletes and lists its objects (linux/netfilter/nf_tables.h).

A batch is these messages between a begin and an end; the kernel commits all of them or none. All multi-byte numbers are in
network order, user data apart: that is for nft(8), which wants host order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import count

from tortie.dataplane.netlink.message import (
    HEADER_SIZE,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Message,
    attribute,
    attributes,
    be32,
    nest,
    text,
)
from tortie.dataplane.nft.elements import KEY_IFNAME, SET_LIMITS, KeyType, Piece, SetFlag, key_type, pack_piece
from tortie.dataplane.nft.encode import AnonymousSet, encode_rule
from tortie.dataplane.nft.expressions import Lookup, VerdictCode, pack, pack_as
from tortie.ruleset.values import BaseChain, Hook, Rule, SetDeclaration, SetType, TableName

TABLE: TableName = "tortie"
VERSION = 1
"""Of what we write; stands in the table's comment, and a program meets only tables of versions that it knows."""
COMMENT_START = "Tortie, layout version "

NFNL_SUBSYS_NFTABLES = 10
NFPROTO_UNSPEC = 0
NFPROTO_INET = 1
BATCH_BEGIN = 0x10
BATCH_END = 0x11


class Verb(IntEnum):
    """enum nf_tables_msg_types."""

    NEWTABLE = 0
    GETTABLE = 1
    DELTABLE = 2
    NEWCHAIN = 3
    GETCHAIN = 4
    DELCHAIN = 5
    NEWRULE = 6
    GETRULE = 7
    DELRULE = 8
    NEWSET = 9
    GETSET = 10
    DELSET = 11
    NEWSETELEM = 12
    GETSETELEM = 13
    DELSETELEM = 14
    NEWGEN = 15
    GETGEN = 16


HOOK_NUMBERS = {hook: number for number, hook in enumerate(Hook)}
"""enum nf_inet_hooks, in which Hook is written down."""
CHAIN_TYPE = "filter"
POLICY_ACCEPT = int(VerdictCode.ACCEPT)
SET_EXPRESSION = 17
"""NFTA_SET_EXPR: what each element of a set does besides being found."""
VERDICT_DATA = 0xFFFFFF00
"""NFT_DATA_VERDICT, the data type of a verdict map."""

_ELEMENTS_BYTES = 32_000
"""Of elements in one message; an attribute's length has 16 bits."""
_GENMSG_BYTES = 4
_TABLE_ATTRIBUTE = text(1, TABLE)


def _message(verb: Verb, flags: int, *parts: bytes) -> Message:
    return Message(NFNL_SUBSYS_NFTABLES << 8 | verb, flags, _genmsg(NFPROTO_INET) + b"".join(parts))


def _genmsg(family: int, resource: int = 0) -> bytes:
    """The header of all netfilter messages (struct nfgenmsg)."""
    return struct.pack("!BBH", family, 0, resource)


def batch_begin() -> Message:
    return Message(BATCH_BEGIN, 0, _genmsg(NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES))


def batch_end() -> Message:
    return Message(BATCH_END, 0, _genmsg(NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES))


# --- tables and chains ------------------------------------------------------------------------------------------------------


def new_table() -> Message:
    """Create the table; of one that is there, clear the flags (``dormant`` would switch it off)."""
    comment = f"{COMMENT_START}{VERSION}"
    return _message(Verb.NEWTABLE, NLM_F_CREATE, _TABLE_ATTRIBUTE, be32(2, 0), attribute(6, _comment(comment)))


def delete_table() -> Message:
    return _message(Verb.DELTABLE, 0, _TABLE_ATTRIBUTE)


def new_chain(name: str, base: BaseChain | None) -> Message:
    """Create a chain, or leave one that is there as it is."""
    parts = text(3, name)
    if base:
        hook = be32(1, HOOK_NUMBERS[base.hook]) + be32(2, base.priority & 0xFFFFFFFF)
        parts += text(7, CHAIN_TYPE) + be32(5, POLICY_ACCEPT) + nest(4, hook)
    return _message(Verb.NEWCHAIN, NLM_F_CREATE, _TABLE_ATTRIBUTE, parts)


def delete_chain(name: str) -> Message:
    """Delete a chain and its rules; refused while something refers to it."""
    return _message(Verb.DELCHAIN, 0, _TABLE_ATTRIBUTE, text(3, name))


def flush_chain(name: str) -> Message:
    """Delete all rules of a chain."""
    return _message(Verb.DELRULE, 0, _TABLE_ATTRIBUTE, text(2, name))


def new_rule(chain: str, rule: Rule, set_ids: count[int]) -> Iterator[Message]:
    """Append a rule, after the anonymous sets that it needs."""
    encoded = encode_rule(rule)
    ids = [next(set_ids) for _ in encoded.sets]
    for anonymous, set_id in zip(encoded.sets, ids, strict=True):
        yield from _new_anonymous_set(anonymous, set_id)
    packed = b"".join(
        pack_anonymous_lookup(e, ids[e.set_id - 1]) if isinstance(e, Lookup) and e.set_id else pack(e)
        for e in encoded.expressions
    )
    parts = text(2, chain) + nest(4, packed)
    if encoded.comment:
        parts += attribute(7, _comment(encoded.comment))
    yield _message(Verb.NEWRULE, NLM_F_CREATE | NLM_F_APPEND, _TABLE_ATTRIBUTE, parts)


def pack_anonymous_lookup(lookup: Lookup, set_id: int) -> bytes:
    return pack(Lookup(lookup.set_name, set_id, lookup.negate, lookup.verdict, lookup.register))


def _comment(comment: str) -> bytes:
    """NFTNL_UDATA_RULE_COMMENT, and the same of a table: type, length, text with its NUL."""
    value = comment.encode() + b"\0"
    return bytes([0, len(value)]) + value


# --- sets and maps ----------------------------------------------------------------------------------------------------------


def new_set(declaration: SetDeclaration, set_id: int) -> Message:
    flags = SetFlag.INTERVAL if declaration.type is SetType.NETWORK else SetFlag(0)
    limit = SET_LIMITS.get(declaration.type)
    more = pack_as(SET_EXPRESSION, limit) if limit else b""
    return _new_set(declaration.name, key_type(declaration), flags, set_id, more=more)


def new_map(name: str, set_id: int) -> Message:
    """A verdict map keyed by interface names."""
    return _new_set(name, KEY_IFNAME, SetFlag.MAP, set_id)


def delete_set(name: str) -> Message:
    """Delete a set or map; refused while a rule looks it up."""
    return _message(Verb.DELSET, 0, _TABLE_ATTRIBUTE, text(2, name))


def _new_set(name: str, key: KeyType, flags: SetFlag, set_id: int, size: int = 0, more: bytes = b"") -> Message:
    parts = text(2, name) + be32(3, flags) + be32(4, key.number) + be32(5, key.length)
    userdata = _userdata_u32(0, key.byte_order)
    if flags & SetFlag.MAP:
        parts += be32(6, VERDICT_DATA) + be32(7, 0)
        userdata += _userdata_u32(1, 0)
    parts += be32(10, set_id)
    if size:
        parts += nest(9, be32(1, size))
    exclusive = 0 if flags & SetFlag.ANONYMOUS else NLM_F_EXCL
    return _message(Verb.NEWSET, NLM_F_CREATE | exclusive, _TABLE_ATTRIBUTE, parts, attribute(13, userdata), more)


def _userdata_u32(kind: int, value: int) -> bytes:
    """A number in nft's user data: NFTNL_UDATA_SET_KEYBYTEORDER (0), _DATABYTEORDER (1)."""
    return struct.pack("=BBI", kind, 4, value)


def _new_anonymous_set(anonymous: AnonymousSet, set_id: int) -> Iterator[Message]:
    flags = SetFlag.ANONYMOUS | SetFlag.CONSTANT
    if anonymous.interval:
        flags |= SetFlag.INTERVAL
    yield _new_set("__set%d", anonymous.key, flags, set_id, len(anonymous.pieces))
    for packed in _bounded(anonymous.pieces):
        yield _elements_message(Verb.NEWSETELEM, "__set%d", packed, be32(4, set_id))


def new_elements(name: str, pieces: Iterable[Piece]) -> Message:
    """Add elements to a set or map; the caller bounds their number."""
    return _elements_message(Verb.NEWSETELEM, name, b"".join(map(pack_piece, pieces)))


def delete_elements(name: str, pieces: Iterable[Piece]) -> Message:
    return _elements_message(Verb.DELSETELEM, name, b"".join(map(pack_piece, pieces)))


def flush_elements(name: str) -> Message:
    """Remove all elements of a set or map."""
    return _message(Verb.DELSETELEM, 0, _TABLE_ATTRIBUTE, text(2, name))


def _elements_message(verb: Verb, name: str, packed: bytes, *more: bytes) -> Message:
    flags = NLM_F_CREATE if verb is Verb.NEWSETELEM else 0
    return _message(verb, flags, _TABLE_ATTRIBUTE, text(2, name), *more, nest(3, packed))


def _bounded(pieces: Sequence[Piece]) -> Iterator[bytes]:
    """The packed pieces in parts that fit an attribute."""
    part = b""
    for piece in pieces:
        part += pack_piece(piece)
        if len(part) > _ELEMENTS_BYTES:
            yield part
            part = b""
    if part:
        yield part


def element_index(message: Message, offset: int) -> int | None:
    """Which of a message's elements the kernel means by an offset from the message's start; None if none."""
    at = HEADER_SIZE + _GENMSG_BYTES
    for kind, value in attributes(message.payload, _GENMSG_BYTES):
        if kind == 3:
            inner = at + 4
            for i, (_kind, element) in enumerate(attributes(value)):
                inner += len(element) + 4 + 3 & ~3
                if at + 4 <= offset < inner:
                    return i
        at += len(value) + 4 + 3 & ~3
    return None


# --- listing ----------------------------------------------------------------------------------------------------------------


def get_table() -> Message:
    return _message(Verb.GETTABLE, 0, _TABLE_ATTRIBUTE)


def list_chains() -> Message:
    """Of all tables of the family: the kernel has no filter here."""
    return _message(Verb.GETCHAIN, 0)


def list_rules() -> Message:
    return _message(Verb.GETRULE, 0, _TABLE_ATTRIBUTE)


def list_sets() -> Message:
    return _message(Verb.GETSET, 0, _TABLE_ATTRIBUTE)


def list_elements(set_name: str) -> Message:
    return _message(Verb.GETSETELEM, 0, _TABLE_ATTRIBUTE, text(2, set_name))


def get_generation() -> Message:
    """The number of the last commit in this network namespace, of whatever table."""
    return Message(NFNL_SUBSYS_NFTABLES << 8 | Verb.GETGEN, 0, _genmsg(NFPROTO_UNSPEC))
