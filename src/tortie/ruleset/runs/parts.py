"""Which keys of a packet decide a rule: rules → parts that are tuples, and what is left of them.

A rule without negations, of which at most one end's address and the destination's port are asked, is a set of keys: each
address with each port. All keys of one *shape* are looked up at once. What cannot be listed (networks, wide ranges of ports, a
set of ports beside a set of addresses), is *residual*: a rule of the same action for the rest, evaluated after all shapes. So
a rule becomes several parts, alternatives of one another: a packet matches the rule if it matches any of them.

A set of named ports is by itself a set of keys of shape ``PEER_PORT`` (egress) or ``LOCAL_PORT`` (ingress); together with a
peer's addresses the keys of ingress would be a product of two sets, each of unknown size, so there it is residual, guarded by
the peer's addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import NamedTuple

import msgspec

from tortie.calc.hoststate import AddressPort, HostRule, IPSetId, Member, PeerMatch, PortRange
from tortie.model.policy import Action, Direction
from tortie.net import Address, Family, Network, Protocol
from tortie.ruleset.rules import rule_families
from tortie.ruleset.runs.shapes import Shape, Space
from tortie.ruleset.values import RulesetValue, TupleElement


class Keys(RulesetValue, frozen=True, kw_only=True):
    """The keys of a part: each address with each of ``ends``; with ``named``, the members of that set of ports."""

    space: Space
    addresses: IPSetId | tuple[Address, ...] | None = None
    """A set, those of its members that are addresses; or what the rule itself lists; None: keys have no address."""
    ends: tuple[TupleElement, ...] = ((),)
    """What follows the address: nothing, a protocol, a protocol and a port, or an ICMP type."""
    named: IPSetId | None = None
    protocol: Protocol | None = None
    """The only one of ``named`` that counts; None: any."""

    @property
    def set_id(self) -> IPSetId | None:
        """The set whose members make keys."""
        return self.named or (self.addresses if isinstance(self.addresses, str) else None)

    @property
    def per_member(self) -> int:
        """How many keys a member of the set makes, at most."""
        return len(self.ends)

    def of_members(self, members: Iterable[Member]) -> Iterator[TupleElement | Address]:
        """The keys that these members of the set stand for; none for a network, or one of another family."""
        family = self.space.family
        if self.named is None:
            bits = family.bits if family is not None else None
            # Written for speed: every rule that refers to a set comes by here with each of its members.
            hosts = (m.address for m in members if isinstance(m, Network) and m.prefix_len == bits and m.is_host)
            return self._of_addresses(hosts)
        return (
            (member.address, member.protocol, member.port)
            for member in members
            if isinstance(member, AddressPort)
            and member.address.family is family
            and self.protocol in (None, member.protocol)
        )

    def listed(self) -> Iterator[TupleElement | Address]:
        """The keys that do not depend on a set."""
        if self.addresses is None and self.named is None:
            yield from self.ends
        if isinstance(self.addresses, tuple):
            yield from self._of_addresses(self.addresses)

    def _of_addresses(self, addresses: Iterable[Address]) -> Iterator[TupleElement | Address]:
        if self.space.shape is Shape.PEER:
            return iter(addresses)
        several = addresses if len(self.ends) == 1 else tuple(addresses)
        return chain.from_iterable(zip(several, *map(repeat, end), strict=False) for end in self.ends)


class Part(RulesetValue, frozen=True, kw_only=True):
    """A part of a rule: with keys a set of tuples, else residual."""

    rule: HostRule
    """The same as a rule of its own. Of a set of addresses that ``keys`` lists it may say more: the whole set."""
    keys: Keys | None = None
    refused: Keys | None = None
    """The keys that it would have if they were fewer."""
    only_networks: bool = False
    """The peer's set means those of its members that are more than an address."""


class Limits(NamedTuple):
    """What decides whether a rule is tuples, besides its form."""

    has_networks: Callable[[IPSetId, Family], bool]
    fits: Callable[[Keys], bool]
    """Whether so many keys may be made."""
    port_span: int


def whole(rule: HostRule) -> tuple[Part, ...]:
    """The rule as it is, residual."""
    return (Part(rule=rule),)


def parts_of(rule: HostRule, direction: Direction, limits: Limits) -> tuple[Part, ...]:
    """The parts that together are *rule*; none, if it can match no packet."""
    if rule.action is Action.LOG or not _is_simple(rule, direction):
        return whole(rule)
    parts: list[Part] = []
    for family in rule_families(rule):
        cut = _Cut(rule if family is None else msgspec.structs.replace(rule, family=family), family, direction, limits)
        found = cut.parts()
        if not any(part.keys or part.refused for part in found):
            found = [Part(rule=cut.rule)]
        parts += found
    if not any(part.keys or part.refused for part in parts):
        return whole(rule) if parts else ()
    return tuple(parts)


def _is_simple(rule: HostRule, direction: Direction) -> bool:
    """Whether nothing is negated, and of addresses only the peer's are asked, one set or some nets."""
    peer, other = peer_of(rule, direction), peer_of(rule, _OPPOSITE[direction])
    negated = any((*p.not_nets, *p.not_ports, *p.not_sets, *p.not_port_sets) for p in (peer, other))
    if negated or rule.not_protocol is not None or rule.not_icmp is not None:
        return False
    if other.nets or other.sets or rule.source.ports or rule.source.port_sets:
        return False
    return len(peer.sets) + bool(peer.nets) <= 1 and (rule.icmp is None or rule.icmp.code is None)


_OPPOSITE = {Direction.INGRESS: Direction.EGRESS, Direction.EGRESS: Direction.INGRESS}


def peer_of(rule: HostRule, direction: Direction) -> PeerMatch:
    return rule.source if direction is Direction.INGRESS else rule.destination


class _Cut:
    """A simple rule in one family, cut into what can be listed and what is left."""

    def __init__(self, rule: HostRule, family: Family | None, direction: Direction, limits: Limits) -> None:
        self.rule = rule
        self._family = family
        self._direction = direction
        self._limits = limits
        peer = peer_of(rule, direction)
        self._set_id = peer.sets[0] if peer.sets else None
        nets = [net for net in peer.nets if net.family is family]
        self._addresses = tuple(sorted({net.address for net in nets if net.is_host}))
        self._networks = tuple(net for net in nets if not net.is_host)
        self._has_peer = bool(peer.sets or peer.nets)

    def parts(self) -> list[Part]:
        ports, port_sets = self.rule.destination.ports, self.rule.destination.port_sets
        if not ports and not port_sets:
            return [*self._listed(self.rule, self._ends()), *self._of_networks()]
        narrow = tuple(port for port in ports if port.last - port.first < self._limits.port_span)
        wide = tuple(port for port in ports if port not in narrow)
        parts = list(self._listed(self._with_ports(narrow, ()), self._port_ends(narrow))) if narrow else []
        if port_sets and not self._has_peer:
            parts += [self._named(set_id) for set_id in port_sets]
            port_sets = ()
        if wide or port_sets:
            parts.append(Part(rule=self._with_ports(wide, port_sets)))
        return [*parts, *self._of_networks()]

    def _ends(self) -> tuple[Shape, tuple[TupleElement, ...]] | None:
        """The shape of what the rule asks besides ports, and what its keys end with; None: it asks nothing."""
        if self.rule.icmp is not None:
            return (Shape.PEER_ICMP if self._has_peer else Shape.ICMP), ((self.rule.icmp.type,),)
        if self.rule.protocol is not None:
            return (Shape.PEER_PROTOCOL if self._has_peer else Shape.PROTOCOL), ((self.rule.protocol,),)
        return (Shape.PEER, ((),)) if self._has_peer else None

    def _port_ends(self, ports: tuple[PortRange, ...]) -> tuple[Shape, tuple[TupleElement, ...]]:
        assert self.rule.protocol is not None, f"{self.rule} has ports and no protocol"
        numbers = sorted({number for first, last in ports for number in range(first, last + 1)})
        shape = Shape.PEER_PORT if self._has_peer else Shape.PORT
        return shape, tuple((self.rule.protocol, number) for number in numbers)

    def _listed(self, rule: HostRule, found: tuple[Shape, tuple[TupleElement, ...]] | None) -> Iterator[Part]:
        """The part whose keys can be listed, if there is one."""
        if found is None:
            return
        shape, ends = found
        addresses = (self._set_id or self._addresses) if self._has_peer else None
        if addresses == ():
            return
        if isinstance(addresses, tuple):
            rule = self._with_nets(rule, tuple(address.network() for address in addresses))
        yield self._if_it_fits(rule, Keys(space=Space(shape, self._family), addresses=addresses, ends=ends))

    def _named(self, set_id: IPSetId) -> Part:
        """A set of ports by itself; the peer of egress is its destination."""
        shape = Shape.PEER_PORT if self._direction is Direction.EGRESS else Shape.LOCAL_PORT
        keys = Keys(space=Space(shape, self._family), named=set_id, protocol=self.rule.protocol)
        return self._if_it_fits(self._with_ports((), (set_id,)), keys)

    def _if_it_fits(self, rule: HostRule, keys: Keys) -> Part:
        return Part(rule=rule, keys=keys) if self._limits.fits(keys) else Part(rule=rule, refused=keys)

    def _of_networks(self) -> Iterator[Part]:
        """What is left where the peer's addresses include networks."""
        if self._networks:
            yield Part(rule=self._with_nets(self.rule, self._networks))
        if self._set_id and self._family is not None and self._limits.has_networks(self._set_id, self._family):
            yield Part(rule=self.rule, only_networks=True)

    def _with_ports(self, ports: tuple[PortRange, ...], port_sets: tuple[IPSetId, ...]) -> HostRule:
        destination = msgspec.structs.replace(self.rule.destination, ports=ports, port_sets=port_sets)
        return msgspec.structs.replace(self.rule, destination=destination)

    def _with_nets(self, rule: HostRule, nets: tuple[Network, ...]) -> HostRule:
        if self._direction is Direction.INGRESS:
            return msgspec.structs.replace(rule, source=msgspec.structs.replace(rule.source, nets=nets))
        return msgspec.structs.replace(rule, destination=msgspec.structs.replace(rule.destination, nets=nets))
