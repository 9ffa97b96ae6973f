"""What flows from the datastore to everything that follows it: the syncer's contract (DESIGN, Contracts).

Updates may be coalesced, repeated or reordered between keys; who receives them depends on the current state only.
"""

from __future__ import annotations

from typing import NamedTuple

from tortie.model.blocks import BlockOwners
from tortie.model.kinds import ResourceKey
from tortie.model.meta import Resource
from tortie.net import Network


class Update(NamedTuple):
    """The current value at one datastore key, as the syncer saw it."""

    key: str
    value: bytes | None
    """None: there is no such key (any more)."""
    revision: int


class InSync(NamedTuple):
    """All updates up to *revision* have been sent: what is known is now a state that the datastore had."""

    revision: int


class ResourceUpdate(NamedTuple):
    """The same after validation: typed, and None where the stored value is invalid, for then it counts as absent."""

    key: ResourceKey
    value: Resource | None
    revision: int


class OwnersUpdate(NamedTuple):
    """Whose an IPAM block and its addresses are, as stored now; None where there is no block, or an invalid one."""

    block: Network
    value: BlockOwners | None
    revision: int
