"""Who is at the ends of a flow, and whose policy decided, by name."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from tortie.net import Address, Family

NO_ADDRESS = {Family.V4: Address(bytes(4)), Family.V6: Address(bytes(16))}
"""The unspecified address (RFC 4291 §2.5.2) in a reference stands for one that the end does not have yet, or nobody tells."""


class EndpointRef(NamedTuple):
    """A workload endpoint as one end of a flow, by one of its addresses."""

    namespace: str
    name: str
    """The resource's name, of node, orchestrator, workload and interface."""
    address: Address
    """One of its own; the family's ``NO_ADDRESS`` if it has none at all."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} ({_where(self.address)})"


class HostRef(NamedTuple):
    """A host itself as one end of a flow: its processes, by one of its addresses."""

    node: str
    address: Address
    """One of its own; the family's ``NO_ADDRESS`` if none is known."""
    interface: str = ""
    """Over which interface it sends and receives; empty: over the one that ``Cluster.uplink`` names."""

    def __str__(self) -> str:
        return f"host {self.node} ({_where(self.address)})"


class HostEndpointRef(NamedTuple):
    """A host endpoint, and the interface where it was asked."""

    node: str
    name: str
    interface: str

    def __str__(self) -> str:
        return f"host endpoint {self.name} at {self.interface} of {self.node}"


class PolicyRef(NamedTuple):
    """A policy's identity."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


End: TypeAlias = EndpointRef | HostRef | Address
"""A workload, a host, or an address outside, which has no policy of its own."""

Judge: TypeAlias = EndpointRef | HostEndpointRef
"""Whose policy is asked."""


def _where(address: Address) -> str:
    return "no address" if address in NO_ADDRESS.values() else str(address)
