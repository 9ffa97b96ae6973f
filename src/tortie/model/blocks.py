"""What others than IPAM need of its blocks: which host has claimed which, and whose their addresses are.

Claims (block affinities) are older than Calico's v3 resources and not stored like them: `/calico/ipam/v2/host/<host>/ipv4/block/10.65.0.0-26`,
with a JSON value (``topology.BlockAffinity``) that has neither kind nor metadata, and may be empty where Calico once wrote it.
The blocks themselves are at `/calico/ipam/v2/assignment/ipv4/block/10.65.0.0-26`; ``tortie.ipam`` reads all of them, this here
only what routes depend on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec

from tortie.model.codec import UNREADABLE, InvalidResourceError, decode_document, from_document
from tortie.model.meta import HostName
from tortie.model.topology import BlockAffinity
from tortie.net import Network

BLOCK_PREFIX = "/calico/ipam/v2/host/"
"""What every such key begins with; other keys of IPAM do too."""

ASSIGNMENT_PREFIX = "/calico/ipam/v2/assignment/"
"""What the keys of all blocks begin with."""

_ASSIGNMENT = re.compile(re.escape(ASSIGNMENT_PREFIX) + r"ipv[46]/block/([^/]+)")
_PATH = re.compile(re.escape(BLOCK_PREFIX) + r"([^/]+)/ipv[46]/block/([^/]+)")


class BlockKey(NamedTuple):
    """A claim's identity; sorts by host, then network."""

    host: HostName
    network: Network

    @property
    def path(self) -> str:
        """The datastore key."""
        cidr = str(self.network).replace("/", "-")
        return f"{BLOCK_PREFIX}{self.host}/ipv{int(self.network.family)}/block/{cidr}"

    def __str__(self) -> str:
        return f"block {self.network} of {self.host}"


def parse_block_path(path: str) -> BlockKey | None:
    """The identity behind a datastore key; None if it is not how a claim's key is written."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    try:
        key = BlockKey(HostName(found[1]), Network.parse(found[2].replace("-", "/")))
    except ValueError:
        return None
    return key if key.path == path else None


def decode_affinity(value: bytes) -> BlockAffinity:
    """Read a stored claim; an empty value or state is one from before claims had states. InvalidResourceError."""
    document = decode_document(value or b"{}")
    if document.get("state") == "":
        del document["state"]
    return from_document(document, BlockAffinity)


def encode_affinity(affinity: BlockAffinity) -> bytes:
    """The bytes to store."""
    return msgspec.json.encode(affinity)


# --- blocks ----------------------------------------------------------------------------------------------------------------


class BlockOwners(NamedTuple):
    """Whose a block is, and which of its addresses belong to another host's workloads."""

    node: HostName | None
    """None: nobody claims the block, or something that is no host (``virtual:load-balancer``)."""
    strays: Mapping[Network, HostName]
    """Addresses that other hosts than *node* have given out, each a /32 or /128."""


class _Attribute(msgspec.Struct, frozen=True):
    secondary: Mapping[str, str] | None = None


class _Block(msgspec.Struct, frozen=True):
    """Of a block's value, what its addresses' owners are."""

    cidr: str
    allocations: tuple[Annotated[int, msgspec.Meta(ge=0)] | None, ...]
    affinity: str | None = None
    attributes: tuple[_Attribute, ...] = ()


def parse_assignment_path(path: str) -> Network | None:
    """The block behind a datastore key; None if it is not how a block's key is written."""
    found = _ASSIGNMENT.fullmatch(path)
    if found is None:
        return None
    try:
        network = Network.parse(found[1].replace("-", "/"))
    except ValueError:
        return None
    return (
        network if f"{ASSIGNMENT_PREFIX}ipv{int(network.family)}/block/{found[1]}" == path and "-" in found[1] else None
    )


def decode_owners(value: bytes) -> BlockOwners:
    """Read a stored block; InvalidResourceError."""
    try:
        block = msgspec.json.decode(value, type=_Block)
        network = Network.parse(block.cidr)
        nodes = [HostName((attribute.secondary or {}).get("node", "")) for attribute in block.attributes]
        owners = [(ordinal, nodes[index]) for ordinal, index in enumerate(block.allocations) if index is not None]
    except (*UNREADABLE, ValueError, IndexError) as error:
        raise InvalidResourceError(f"not an IPAM block: {error}") from error
    if len(block.allocations) > network.size:
        raise InvalidResourceError(f"{network} has {network.size} addresses, not {len(block.allocations)}")
    kind, _, name = (block.affinity or "").partition(":")
    node = HostName(name) if kind == "host" and name else None
    strays = {(network.address + ordinal).network(): owner for ordinal, owner in owners if owner not in ("", node)}
    return BlockOwners(node, strays)
