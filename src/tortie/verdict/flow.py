"""What is judged: the first packet of a new flow."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec

from tortie.net import ICMP, ICMPV6, Address, Family, Protocol

_ECHO_REQUEST = {Family.V4: 8, Family.V6: 128}
_ICMP_OF_FAMILY = {Family.V4: ICMP, Family.V6: ICMPV6}


class EndpointRef(NamedTuple):
    """A workload endpoint as one end of a flow, by one of its addresses."""

    namespace: str
    name: str
    """The resource's name, of node, orchestrator, workload and interface."""
    address: Address

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} ({self.address})"


End: TypeAlias = EndpointRef | Address
"""A workload, or an address outside, which has no policy of its own."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A new flow between two addresses of one family."""

    source: End
    destination: End
    protocol: Protocol
    source_port: int | None = None
    destination_port: int | None = None
    """None where the protocol has no ports."""
    icmp_type: int | None = None
    """None: an echo request, if the protocol is the family's ICMP."""
    icmp_code: int | None = None
    """None: 0, if the protocol is the family's ICMP."""

    def __post_init__(self) -> None:
        if self.source_address.family is not self.destination_address.family:
            raise ValueError(f"{self.source} and {self.destination} are not of one IP version")

    @property
    def source_address(self) -> Address:
        return self.source if isinstance(self.source, Address) else self.source.address

    @property
    def destination_address(self) -> Address:
        return self.destination if isinstance(self.destination, Address) else self.destination.address

    @property
    def family(self) -> Family:
        return self.source_address.family

    @property
    def icmp(self) -> tuple[int, int] | None:
        """Type and code; None if the protocol is not the family's ICMP."""
        if self.protocol != _ICMP_OF_FAMILY[self.family]:
            return None
        icmp_type = _ECHO_REQUEST[self.family] if self.icmp_type is None else self.icmp_type
        return icmp_type, self.icmp_code or 0

    def __str__(self) -> str:
        port = f" port {self.destination_port}" if self.destination_port is not None else ""
        icmp = f" type {self.icmp[0]} code {self.icmp[1]}" if self.icmp else ""
        return f"{self.source} → {self.destination} {self.protocol}{port}{icmp}"
