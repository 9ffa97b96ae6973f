"""What is asked end to end: the first packet of a new flow, from one end to another."""

from __future__ import annotations

from tortie.net import Address, Family
from tortie.verdict.packet import Headers, Packet
from tortie.verdict.refs import End


class Flow(Headers, frozen=True, kw_only=True):
    """A new flow between two addresses of one family."""

    source: End
    destination: End

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
    def packet(self) -> Packet:
        """Its first packet."""
        headers = {field: getattr(self, field) for field in Headers.__struct_fields__}
        return Packet(source=self.source_address, destination=self.destination_address, **headers)

    @property
    def icmp(self) -> tuple[int, int] | None:
        """Type and code; None if the protocol is not the family's ICMP."""
        return self.packet.icmp

    def __str__(self) -> str:
        return f"{self.source} → {self.destination} {self.packet.kind}"
