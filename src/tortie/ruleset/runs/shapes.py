"""The shapes of keys: what of a packet is looked up at once, in which order, and how the kernel is asked.

The *peer* is the end that policy is about: the source of ingress, the destination of egress.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tortie.model.policy import Direction
from tortie.net import ICMP_OF, Family
from tortie.ruleset.values import (
    FamilyMatch,
    KeyPart,
    Match,
    ProtocolMatch,
    SetMatch,
    SetType,
    Side,
    TupleMatch,
)


class Shape(StrEnum):
    """What a key is made of, in the order in which shapes are looked up: those that say most come first."""

    PEER_PORT = "SD"
    LOCAL_PORT = "LD"
    """Of the own address and port: named ports of ingress, which do not say who may come."""
    PEER_PROTOCOL = "SP"
    PEER_ICMP = "ST"
    PEER = "S"
    PORT = "D"
    PROTOCOL = "P"
    ICMP = "T"


class Space(NamedTuple):
    """A shape within a family; None: of both at once, which only shapes without an address can be."""

    shape: Shape
    family: Family | None

    @property
    def rank(self) -> int:
        """Its place in the order of evaluation within a run."""
        return _RANKS[self]


_RANKS = {
    Space(shape, family): rank
    for rank, (shape, family) in enumerate(
        (shape, family) for shape in Shape for family in (Family.V4, Family.V6, None)
    )
}
RESIDUAL_RANK = len(_RANKS)
RANKS = RESIDUAL_RANK + 1

SET_TYPES = {
    Shape.PEER_PORT: SetType.ADDRESS_PORT,
    Shape.LOCAL_PORT: SetType.ADDRESS_PORT,
    Shape.PEER_PROTOCOL: SetType.ADDRESS_PROTOCOL,
    Shape.PEER_ICMP: SetType.ADDRESS_ICMP_TYPE,
    Shape.PEER: SetType.ADDRESS,
    Shape.PORT: SetType.PROTOCOL_PORT,
    Shape.PROTOCOL: SetType.PROTOCOL,
    Shape.ICMP: SetType.ICMP_TYPE,
}
_WITHOUT_ADDRESS = (Shape.PORT, Shape.PROTOCOL)


def set_family(space: Space) -> Family | None:
    """The family that the kernel's set is declared for: tuples without an address or ICMP type have none."""
    return None if space.shape in _WITHOUT_ADDRESS else space.family


def peer_side(direction: Direction) -> Side:
    return Side.SOURCE if direction is Direction.INGRESS else Side.DESTINATION


def key_parts(shape: Shape, direction: Direction) -> tuple[KeyPart, ...]:
    """What of a packet the keys of a shape are."""
    peer = KeyPart.SOURCE if direction is Direction.INGRESS else KeyPart.DESTINATION
    return {
        Shape.PEER_PORT: (peer, KeyPart.PROTOCOL, KeyPart.DESTINATION_PORT),
        Shape.LOCAL_PORT: (KeyPart.DESTINATION, KeyPart.PROTOCOL, KeyPart.DESTINATION_PORT),
        Shape.PEER_PROTOCOL: (peer, KeyPart.PROTOCOL),
        Shape.PEER_ICMP: (peer, KeyPart.ICMP_TYPE),
        Shape.PEER: (peer,),
        Shape.PORT: (KeyPart.PROTOCOL, KeyPart.DESTINATION_PORT),
        Shape.PROTOCOL: (KeyPart.PROTOCOL,),
        Shape.ICMP: (KeyPart.ICMP_TYPE,),
    }[shape]


def look_up(space: Space, direction: Direction, set_name: str) -> tuple[Match, ...]:
    """The matches that look a packet's key up in a set of a space; of ``PEER`` that is a plain set of addresses."""
    family = set_family(space)
    if space.shape is Shape.PEER:
        assert family is not None
        return (SetMatch(peer_side(direction), family, set_name),)
    match = TupleMatch(key_parts(space.shape, direction), family, set_name)
    if space.shape in (Shape.PEER_ICMP, Shape.ICMP):
        assert family is not None
        return ProtocolMatch(ICMP_OF[family]), match
    if space.shape in _WITHOUT_ADDRESS and space.family is not None:
        return FamilyMatch(space.family), match
    return (match,)
