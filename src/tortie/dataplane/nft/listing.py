"""Reads the table back from the kernel, decoded into neutral values.

A listing takes several dumps; commits between them are noticed by the generation number, and it is begun anew.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field

from tortie.dataplane.netlink.message import Message, attribute_map, attributes, read_text
from tortie.dataplane.netlink.socket import DumpInterruptedError, NetlinkError, NetlinkSocket
from tortie.dataplane.nft import messages
from tortie.dataplane.nft.decode import Unrecognised, decode_rule
from tortie.dataplane.nft.elements import (
    KEY_ADDRESS,
    KEY_ICMP,
    KEY_IFNAME,
    KEY_PORT,
    SET_LIMITS,
    KeyType,
    Piece,
    SetFlag,
    UnknownElementError,
    key_type,
    parse_piece,
    read_elements,
    read_ifname,
)
from tortie.dataplane.nft.encode import AnonymousSet
from tortie.dataplane.nft.expressions import VerdictCode, parse_expression, parse_expressions
from tortie.dataplane.nft.model import ChainContents, Contents, MapContents, SetContents
from tortie.net import Family
from tortie.ruleset.values import TUPLE_FIELDS, BaseChain, Hook, Rule, SetDeclaration, SetType, families_of

_GENMSG_BYTES = 4
_ATTEMPTS = 10
_LISTING_ATTEMPTS = 100

_DECLARATIONS: dict[tuple[int, SetFlag], tuple[Family | None, SetType]] = {}
for _family in Family:
    _DECLARATIONS[KEY_ADDRESS[_family].number, SetFlag(0)] = (_family, SetType.ADDRESS)
    _DECLARATIONS[KEY_ADDRESS[_family].number, SetFlag.INTERVAL] = (_family, SetType.NETWORK)
for _type in TUPLE_FIELDS:
    for _of in families_of(_type):
        _DECLARATIONS[key_type(SetDeclaration("", _of, _type)).number, SetFlag(0)] = (_of, _type)
_DECLARATIONS[KEY_IFNAME.number, SetFlag(0)] = (None, SetType.INTERFACE)
_ANONYMOUS_KEYS = {key.number: key for key in (*KEY_ADDRESS.values(), *KEY_ICMP.values(), KEY_PORT)}
_LIMITED: dict[type, SetType] = {type(limit): set_type for set_type, limit in SET_LIMITS.items()}
_STRANGE_SET_ATTRIBUTES = {11, 12, 15, 18}
"""Timeouts, objects and several statements: our sets have none."""


class NewerTableError(Exception):
    """The table was written by a later version of this program, in a layout that this one does not know."""


@dataclass
class Actual:
    """What the kernel has of ours."""

    contents: Contents = field(default_factory=Contents)
    exists: bool = False
    is_current: bool = True
    """The table carries our version: the kernel cannot change that of a table that is there."""
    is_active: bool = True
    """It is not switched off (``flags dormant``)."""


def read_table(socket: NetlinkSocket) -> Actual:
    """List the table, as of one moment. NewerTableError if it is not for us to touch."""
    for _ in range(_ATTEMPTS):
        generation = _generation(socket)
        try:
            actual = _read(socket)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:  # something went while it was listed
                raise
            continue
        if _generation(socket) == generation:
            return actual
    raise DumpInterruptedError("the rules of this host change faster than they can be listed")


def _generation(socket: NetlinkSocket) -> bytes:
    (frame,) = socket.query(messages.get_generation())
    return attribute_map(frame.payload, _GENMSG_BYTES)[1]


def _read(socket: NetlinkSocket) -> Actual:
    try:
        (frame,) = socket.query(messages.get_table())
    except NetlinkError as error:
        if error.errno == errno.ENOENT:
            return Actual()
        raise
    table = attribute_map(frame.payload, _GENMSG_BYTES)
    is_current, is_active = _is_current(table), not any(table.get(2, b""))
    contents = Contents()
    anonymous = _read_sets(socket, contents)
    _read_chains(socket, contents, anonymous)
    return Actual(contents, exists=True, is_current=is_current, is_active=is_active)


def _is_current(table: dict[int, bytes]) -> bool:
    comment = _read_comment(table.get(6, b""))
    version = comment.removeprefix(messages.COMMENT_START)
    if version != comment and version.isdecimal() and int(version) > messages.VERSION:
        raise NewerTableError(f"table inet {messages.TABLE} has {comment}, this program knows up to {messages.VERSION}")
    return version == str(messages.VERSION)


def _dump(socket: NetlinkSocket, message: Message) -> Iterator[dict[int, bytes]]:
    """The attributes of each object that a dump lists, of our table only."""
    for frame in socket.dump(message):
        found = attribute_map(frame.payload, _GENMSG_BYTES)
        if read_text(found.get(1, b"")) == messages.TABLE and frame.payload[0] == messages.NFPROTO_INET:
            yield found


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


# --- sets -------------------------------------------------------------------------------------------------------------------


def _read_sets(socket: NetlinkSocket, contents: Contents) -> dict[str, AnonymousSet | Unrecognised]:
    """Put named sets and maps into *contents*; the anonymous ones are for their rules."""
    anonymous: dict[str, AnonymousSet | Unrecognised] = {}
    for found in list(_dump(socket, messages.list_sets())):
        name, flags = read_text(found[2]), SetFlag(_number(found.get(3, b"")))
        pieces, foreign = _read_pieces(socket, name)
        unfit = found.keys() & _STRANGE_SET_ATTRIBUTES
        strange = Unrecognised(f"set {name} with attributes {sorted(unfit)}") if unfit else None
        if flags & SetFlag.ANONYMOUS:
            anonymous[name] = strange or _anonymous(found, flags, pieces, foreign=foreign)
        elif flags & SetFlag.MAP:
            contents.maps[name] = _map_contents(found, flags, pieces, strange, foreign=foreign)
        else:
            contents.sets[name] = _set_contents(found, flags, pieces, strange, foreign=foreign)
    return anonymous


def _read_pieces(socket: NetlinkSocket, name: str) -> tuple[list[Piece], bool]:
    """A set's elements, and whether there are others than we know.

    While a large hash grows, which goes on for some time after a commit, the kernel lists some elements twice and as many
    not at all, and does not say so (Linux 6.18, rhashtable): a listing that repeats itself is begun anew.
    """
    for _ in range(_LISTING_ATTEMPTS):
        pieces, foreign = _list_pieces(socket, name)
        if len({(piece.key, piece.end) for piece in pieces}) == len(pieces):
            return pieces, foreign
    raise DumpInterruptedError(f"set {name} changes faster than it can be listed")


def _list_pieces(socket: NetlinkSocket, name: str) -> tuple[list[Piece], bool]:
    pieces: list[Piece] = []
    foreign = False
    for found in _dump(socket, messages.list_elements(name)):
        for _kind, element in attributes(found.get(3, b"")):
            try:
                pieces.append(parse_piece(element))
            except UnknownElementError:
                foreign = True
    return pieces, foreign


def _anonymous(
    found: dict[int, bytes], flags: SetFlag, pieces: list[Piece], *, foreign: bool
) -> AnonymousSet | Unrecognised:
    key: KeyType | None = _ANONYMOUS_KEYS.get(_number(found[4]))
    if key is None or foreign or flags & SetFlag.MAP or messages.SET_EXPRESSION in found:
        return Unrecognised(f"a set without a name, with keys of type {_number(found[4])} and flags {flags!r}")
    return AnonymousSet(key, bool(flags & SetFlag.INTERVAL), tuple(pieces))


def _set_contents(
    found: dict[int, bytes], flags: SetFlag, pieces: list[Piece], strange: Unrecognised | None, *, foreign: bool
) -> SetContents:
    name, key = read_text(found[2]), _number(found[4])
    declared = _DECLARATIONS.get((key, flags))
    if messages.SET_EXPRESSION in found:
        declared = _limited(found[messages.SET_EXPRESSION]) if (key, flags) == (KEY_IFNAME.number, 0) else None
    if strange or declared is None:
        return SetContents(strange or Unrecognised(f"set {name} with keys of type {key}, {flags!r}"), set())
    declaration = SetDeclaration(name, *declared)
    try:
        return SetContents(declaration, set(read_elements(declaration, pieces)), foreign)
    except UnknownElementError:
        return SetContents(declaration, set(), foreign=True)


def _limited(data: bytes) -> tuple[None, SetType] | None:
    """What kind of limits a set declares that its elements have; None for others than ours."""
    set_type = _LIMITED.get(type(parse_expression(data)))
    return (None, set_type) if set_type else None


def _map_contents(
    found: dict[int, bytes], flags: SetFlag, pieces: list[Piece], strange: Unrecognised | None, *, foreign: bool
) -> MapContents:
    data_type = _number(found.get(6, b""))
    if (
        strange
        or messages.SET_EXPRESSION in found
        or flags != SetFlag.MAP
        or (_number(found[4]), data_type) != (KEY_IFNAME.number, messages.VERDICT_DATA)
    ):
        return MapContents({}, unrecognised=strange or Unrecognised(f"map {read_text(found[2])} of other types"))
    entries = {}
    for piece in pieces:
        try:
            if not piece.verdict or piece.verdict.code is not VerdictCode.JUMP:
                raise UnknownElementError(str(piece))
            entries[read_ifname(piece.key)] = piece.verdict.chain
        except UnknownElementError:
            foreign = True
    return MapContents(entries, foreign)


# --- chains -----------------------------------------------------------------------------------------------------------------


def _read_chains(socket: NetlinkSocket, contents: Contents, anonymous: dict[str, AnonymousSet | Unrecognised]) -> None:
    rules: dict[str, list[Rule | Unrecognised]] = {}
    bases: dict[str, BaseChain | Unrecognised | None] = {}
    for found in _dump(socket, messages.list_chains()):
        name = read_text(found[3])
        rules[name], bases[name] = [], _base(found)
    for found in _dump(socket, messages.list_rules()):
        rules[read_text(found[2])].append(_rule(found, anonymous))
    contents.chains.update((name, ChainContents(base, tuple(rules[name]))) for name, base in bases.items())


def _base(found: dict[int, bytes]) -> BaseChain | Unrecognised | None:
    if 4 not in found:
        return None
    hook = attribute_map(found[4])
    policy, kind = _number(found[5]), read_text(found[7])
    number, priority = _number(hook[1]), int.from_bytes(hook[2], "big", signed=True)
    if policy != messages.POLICY_ACCEPT or kind != messages.CHAIN_TYPE or number >= len(Hook):
        return Unrecognised(f"type {kind} hook {number} priority {priority} policy {policy}")
    return BaseChain(list(Hook)[number], priority)


def _rule(found: dict[int, bytes], anonymous: dict[str, AnonymousSet | Unrecognised]) -> Rule | Unrecognised:
    expressions = tuple(parse_expressions(found.get(4, b"")))
    comment = _read_comment(found.get(7, b""))
    return decode_rule(expressions, anonymous, comment)


def _read_comment(userdata: bytes) -> str:
    """NFTNL_UDATA_RULE_COMMENT, the first of a rule's user data, and the same of a table."""
    if len(userdata) < 2 or userdata[0] != 0:
        return ""
    return userdata[2 : 2 + userdata[1]].rstrip(b"\0").decode(errors="replace")
