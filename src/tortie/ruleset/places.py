"""The places where policy is asked: which map leads there, by which interface, in which direction, under which semantics.

A packet meets them in the order of ``stages``. Each place has its own classes of endpoints, named with its prefix; groups of
policies are shared by all places of one ``Kind`` and direction.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

from tortie.model.policy import Direction
from tortie.ruleset.options import Options
from tortie.ruleset.values import Interface


class Kind(StrEnum):
    """What an action means at a place."""

    FILTER = "filter"
    """Allow ends this stage, and no more than this stage."""
    AFTER_NAT = "after-nat"
    """The same, but that nobody is told of a Deny: there the kernel takes no reject."""
    PRE_DNAT = "pre-dnat"
    """Allow also skips the host endpoint's own policy for traffic to the host; there is no end-of-tier deny."""
    UNTRACKED = "untracked"
    """The same, and the packet is exempt from connection tracking; then forwarded traffic skips it as well."""

    @property
    def is_filter(self) -> bool:
        """Whether what reaches the end of a tier may be denied there."""
        return self in (Kind.FILTER, Kind.AFTER_NAT)


class _Place(NamedTuple):
    map_name: str
    """From the name of an interface to its class."""
    prefix: str
    """Of the names of its classes."""
    direction: Direction
    kind: Kind
    interface: Interface
    """Which of the packet's interfaces is looked up."""


class Place(_Place, Enum):
    """Every place, and all that tells one from another."""

    WORKLOAD_EGRESS = "wl-from", "eo-", Direction.EGRESS, Kind.FILTER, Interface.IN
    WORKLOAD_INGRESS = "wl-to", "ei-", Direction.INGRESS, Kind.FILTER, Interface.OUT
    UNTRACKED_IN = "hep-raw-in", "hui-", Direction.INGRESS, Kind.UNTRACKED, Interface.IN
    UNTRACKED_OUT = "hep-raw-out", "huo-", Direction.EGRESS, Kind.UNTRACKED, Interface.OUT
    PRE_DNAT = "hep-pre", "hp-", Direction.INGRESS, Kind.PRE_DNAT, Interface.IN
    FORWARD_IN = "hep-fwd-in", "hfi-", Direction.INGRESS, Kind.FILTER, Interface.IN
    FORWARD_OUT = "hep-fwd-out", "hfo-", Direction.EGRESS, Kind.FILTER, Interface.OUT
    HOST_IN = "hep-in", "hi-", Direction.INGRESS, Kind.FILTER, Interface.IN
    HOST_OUT = "hep-out", "ho-", Direction.EGRESS, Kind.FILTER, Interface.OUT
    HOST_OUT_AFTER_NAT = "hep-out-nat", "hno-", Direction.EGRESS, Kind.AFTER_NAT, Interface.OUT
    """In place of ``HOST_OUT`` for what is judged once NAT has changed its destination, where Deny is Reject elsewhere."""


WORKLOAD_PLACES = (Place.WORKLOAD_EGRESS, Place.WORKLOAD_INGRESS)
HOST_PLACES = tuple(place for place in Place if place not in WORKLOAD_PLACES)
HOST_OUT_PLACES = (Place.HOST_OUT, Place.HOST_OUT_AFTER_NAT)
HOSTS_OWN_PLACES = (Place.HOST_IN, *HOST_OUT_PLACES)
"""Where the host's own traffic is judged."""


def places_of(options: Options) -> tuple[Place, ...]:
    """The places where options let policy be asked."""
    return tuple(place for place in Place if options.rejects or place is not Place.HOST_OUT_AFTER_NAT)
