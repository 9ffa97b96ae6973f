"""nf_tables: the neutral ruleset as netlink messages, both ways (DESIGN decision 3), and the driver of our table.

``expressions`` and ``elements`` are the kernel's instructions and set elements as values; ``encode`` and ``decode`` are rules;
``messages`` are the objects of the table; ``batch`` puts deltas into batches, ``difference`` compares the whole, ``listing``
reads it back, ``watch`` notices others, and ``driver`` holds them together.
"""

from tortie.dataplane.nft.decode import Unrecognised
from tortie.dataplane.nft.driver import NftDriver
from tortie.dataplane.nft.encode import canonical
from tortie.dataplane.nft.listing import Actual, NewerTableError
from tortie.dataplane.nft.model import Contents

__all__ = ["Actual", "Contents", "NewerTableError", "NftDriver", "Unrecognised", "canonical"]
