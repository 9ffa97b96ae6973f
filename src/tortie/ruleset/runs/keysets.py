"""The kernel's sets of tuples: what they are called, and how a tuple of theirs is written.

gi-_4kq2m3ab5c.1-SD4-allow     group, run (none: the first), shape, family, action
10.0.0.1 . tcp . 80            an element, as nft(8) prints it
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from tortie.model.policy import Action
from tortie.net import Address, Family, Protocol
from tortie.ruleset.runs.shapes import RANKS, SET_TYPES, Shape, Space
from tortie.ruleset.values import TUPLE_FIELDS, TupleElement, TupleField

Key: TypeAlias = TupleElement | Address
"""An element of a set of tuples; where it is nothing but an address, that."""

_ACTIONS = (Action.DENY, Action.PASS, Action.ALLOW)
"""The order in which the sets of one space and run are looked up; each key is in one of them."""


class KeySet:
    """A set of tuples: of one run, space and action. There is one such object for each, so that they are told apart by identity."""

    __slots__ = ("action", "level", "name", "run", "slots", "space")

    def __init__(self, run: int, space: Space, action: Action, prefix: str) -> None:
        self.run = run
        self.space = space
        self.action = action
        self.level = run * RANKS + space.rank, _ACTIONS.index(action)
        """When it is looked up; before it what is lower."""
        self.slots = 0
        """How many slots have keys in it: it stands while one has, be it empty."""
        self.name = f"{prefix}{f'.{run}' if run else ''}-{space.shape}{space.family or ''}-{action.lower()}"


# --- reading ----------------------------------------------------------------------------------------------------------------


class KeySetName(NamedTuple):
    """A set of tuples, by its name."""

    prefix: str
    """Of direction and kind of place: the same for all groups there."""
    space: Space
    action: Action

    @classmethod
    def parse(cls, text: str) -> KeySetName:
        """Read a name; ValueError if it is none of a set of tuples."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a set of tuples such as gi-_4kq2m3ab5c-SD4-allow")
        family = Family(int(found["family"])) if found["family"] else None
        return cls(found["prefix"], Space(Shape(found["shape"]), family), Action(found["action"].capitalize()))


_NAME = re.compile(
    r"(?P<prefix>[a-z]+)-_[a-z0-9-]+?(\.[0-9]+)?-(?P<shape>SD|LD|SP|ST|S|D|P|T)(?P<family>[46]?)-(?P<action>allow|deny|pass)"
)


def parse_key(text: str, space: Space) -> Key:
    """Read an element of a set of this space as nft(8) prints it; ValueError says what was expected."""
    parts = [part.strip() for part in re.split(r"\s\.\s", text.strip())]
    fields = TUPLE_FIELDS.get(SET_TYPES[space.shape], (TupleField.ADDRESS,))
    if len(parts) != len(fields):
        raise ValueError(f"{text!r} is not {' . '.join(fields)}")
    values = tuple(_parse_value(part, field, space) for part, field in zip(parts, fields, strict=True))
    first = values[0]
    return first if space.shape is Shape.PEER and isinstance(first, Address) else values


def _parse_value(text: str, field: TupleField, space: Space) -> Address | Protocol | int:
    match field:
        case TupleField.ADDRESS:
            address = Address.parse(text)
            if address.family is not space.family:
                raise ValueError(f"{text} is not an IPv{space.family} address")
            return address
        case TupleField.PROTOCOL:
            return Protocol(_PROTOCOLS[text.lower()]) if text.lower() in _PROTOCOLS else Protocol.parse(text)
        case TupleField.PORT:
            return _number(text, 65535, "a port number")
        case TupleField.ICMP_TYPE:
            names = _ICMP_TYPES[space.family] if space.family is not None else {}
            return names[text] if text in names else _number(text, 255, "an ICMP type")


def _number(text: str, last: int, what: str) -> int:
    if not text.isdecimal() or int(text) > last:
        raise ValueError(f"{text!r} is not {what}")
    return int(text)


_PROTOCOLS = {"ipv6-icmp": 58, "gre": 47, "esp": 50, "ah": 51, "ipencap": 4, "igmp": 2, "dccp": 33, "comp": 108}
"""As nft(8) prints protocols, by /etc/protocols, where that is not how Calico writes them."""

_ICMP_TYPES: dict[Family, dict[str, int]] = {
    Family.V4: {
        "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
        "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
        "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16, "address-mask-request": 17,
        "address-mask-reply": 18,
    },
    Family.V6: {
        "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128,
        "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
        "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134, "nd-neighbor-solicit": 135,
        "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138, "ind-neighbor-solicit": 141,
        "ind-neighbor-advert": 142, "mld2-listener-report": 143,
    },
}  # fmt: skip
"""nft(8), ICMP TYPE TYPE and ICMPV6 TYPE TYPE."""
