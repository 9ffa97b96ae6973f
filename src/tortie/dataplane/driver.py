"""The contract of a dataplane driver (DESIGN, Contracts): desired against actual, in cheap steps.

``stage`` only records what is wanted. ``plan`` compares it with what is known to be in the kernel and gives the batches to
send, in order; ``apply`` sends one. Nothing here costs in proportion to the whole, except ``read_back``: it lists the kernel,
at start and on resync, and what it finds replaces what was believed. A second ``plan`` after all batches are applied is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

Delta_contra = TypeVar("Delta_contra", contravariant=True)
Batch = TypeVar("Batch")
Actual_co = TypeVar("Actual_co", covariant=True)


class Driver(Protocol, Generic[Delta_contra, Batch, Actual_co]):
    """Programs one kind of kernel object."""

    def stage(self, delta: Delta_contra) -> None:
        """Record what is wanted; no I/O."""

    def plan(self) -> Sequence[Batch]:
        """The batches that bring the kernel to what is wanted, in order; empty if there is nothing to do."""

    def apply(self, batch: Batch) -> None:
        """Send one batch. KernelRefusedError leaves the rest of the plan to be made again."""

    def read_back(self) -> Actual_co:
        """List what the kernel has of ours, remember it as the truth, and return it decoded."""


class KernelRefusedError(OSError):
    """The kernel refused an operation; the text names the operation, the object and the kernel's reason."""
