"""Which addresses are taken: blocks of a pool, as Calico stores them, and plans that change one.

Pure: a plan takes the block that was read and gives the block to write; the caller writes it at the revision it read, and
plans again after a conflict.
"""

from tortie.ipam.block import AllocationBlock, BlockFullError, Handle, assign, new_block, release
from tortie.ipam.keys import block_key, handle_key

__all__ = [
    "AllocationBlock",
    "BlockFullError",
    "Handle",
    "assign",
    "block_key",
    "handle_key",
    "new_block",
    "release",
]
