"""The datastore keys of IPAM's block affinities: which host has claimed which block.

They are older than Calico's v3 resources and not stored like them: `/calico/ipam/v2/host/<host>/ipv4/block/10.65.0.0-26`,
with a JSON value (``topology.BlockAffinity``) that has neither kind nor metadata, and may be empty where Calico once wrote it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from tortie.model.codec import InvalidResourceError, decode_document
from tortie.model.meta import HostName
from tortie.model.topology import BlockAffinity
from tortie.net import Network

BLOCK_PREFIX = "/calico/ipam/v2/host/"
"""What every such key begins with; other keys of IPAM do too."""

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
    try:
        return msgspec.convert(document, BlockAffinity)
    except msgspec.ValidationError as error:
        raise InvalidResourceError(str(error)) from error


def encode_affinity(affinity: BlockAffinity) -> bytes:
    """The bytes to store."""
    return msgspec.json.encode(affinity)
