"""Tests for policies: who must be able to reach whom, and who must not, written down beside the policies that bring it about.

Nothing here is enforced: a test is a statement about all policies together, which ``tortie.analysis.assertions`` judges.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from tortie.model.meta import Resource, Value
from tortie.net import FAMILY_OF_ICMP, Protocol

Texts: TypeAlias = str | tuple[str, ...]
"""One text, or a list of them."""


def as_texts(written: Texts) -> tuple[str, ...]:
    """The texts of a field that takes one or a list."""
    return (written,) if isinstance(written, str) else written


class Packets(NamedTuple):
    """Packets of one protocol: at some of its ports, or of some of ICMP's types and codes, or all of them."""

    protocol: Protocol
    first: int | None = None
    """The first port, or the ICMP type; None: all of them."""
    last: int | None = None
    """The last port, or the ICMP code; None: that alone, or all codes."""

    @classmethod
    def parse(cls, text: str) -> Packets:
        """Read ``tcp``, ``tcp/443``, ``tcp/8000-8010``, ``icmp``, ``icmp/8``, ``icmp/8/0`` or a protocol's number; ValueError."""
        name, *numbers = text.split("/")
        try:
            protocol = Protocol.parse(name)
            given = _ports(numbers) if protocol.has_ports else [_number(number, 255) for number in numbers]
            if len(given) > (2 if protocol.has_ports or protocol in FAMILY_OF_ICMP else 0):
                raise ValueError("too many parts")
        except ValueError as error:
            raise ValueError(f"{text!r} is not packets such as {EXAMPLES}: {error}") from None
        return cls(protocol, *given)


EXAMPLES = "tcp/443, tcp/8000-8010, udp, icmp/8 or a protocol's number"


def _ports(parts: list[str]) -> list[int]:
    if len(parts) > 1:
        raise ValueError("too many parts")
    bounds = [_number(number, 65535) for part in parts for number in part.split("-", 1)]
    if bounds != sorted(bounds):
        raise ValueError("the first port is after the last")
    return bounds


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= most):
        raise ValueError(f"{text!r} is no number 0-{most}")
    return int(text)


class Connections(Value, frozen=True, kw_only=True):
    """Connections: from each of some ends to each of others, at each of some ports."""

    from_: Texts = msgspec.field(name="from")
    """Who connects: `pod` of the test's namespace, `namespace/pod`, a workload such as a Deployment named in the same way,
    `host:NODE`, an address, or a network, which means every address in it. `*` and `?` match as in file names: `shop/*`."""
    to: Texts
    """Who is connected to, named in the same way; or a service, `namespace/service`, which means the endpoints behind it."""
    ports: Texts = ()
    """At what: `tcp/443`, `tcp/8000-8010`, `udp`, `icmp/8`, or a protocol's number. Every port of every protocol if absent."""

    @property
    def sources(self) -> tuple[str, ...]:
        return as_texts(self.from_)

    @property
    def destinations(self) -> tuple[str, ...]:
        return as_texts(self.to)

    @property
    def at_ports(self) -> tuple[str, ...]:
        return as_texts(self.ports)


class PolicyAssertion(Value, frozen=True, kw_only=True):
    """What must hold of connections. Exactly one of `allow` and `deny`."""

    name: str = ""
    """What is asserted, in people's words."""
    allow: Connections | None = None
    """Each of these connections must be possible."""
    deny: Connections | None = None
    """None of these connections may be possible."""

    @property
    def is_allow(self) -> bool:
        return self.allow is not None

    @property
    def connections(self) -> Connections:
        """What it is about."""
        found = self.allow or self.deny
        assert found is not None, "neither allow nor deny: refused where it is read"
        return found


class PolicyTests(Value, frozen=True, kw_only=True):
    """Assertions, in a test of their own or beside a policy."""

    tests: tuple[PolicyAssertion, ...]
    """What must hold. Each is judged by itself."""


class PolicyTest(Resource, frozen=True, kw_only=True, tag="PolicyTest"):
    """Assertions about who can reach whom, judged by `tortie policy test` and before a change is applied; never enforced."""

    api_version: Literal["tortie.dev/v1"] = "tortie.dev/v1"
    spec: PolicyTests
    """What must hold."""
