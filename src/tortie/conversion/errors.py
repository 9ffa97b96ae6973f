"""What is said about a Kubernetes object, or a part of one, that means nothing to us."""

from __future__ import annotations


class ConversionError(ValueError):
    """The text names the field and what was expected there."""
