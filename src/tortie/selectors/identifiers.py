"""Identifiers derived from content, the same on every host and the same as Calico's: they name IP sets and profiles' chains."""

from __future__ import annotations

import base64
import hashlib


def unique_id(prefix: str, content: str) -> str:
    """``prefix:`` and 38 characters that stand for *content*: base64url of its SHA-224, the prefix hashed with it."""
    digest = hashlib.sha224(f"{prefix}:{content}".encode()).digest()
    return f"{prefix}:{_base64url(digest)}"


def named_port_id(selector_id: str, protocol: str, port_name: str) -> str:
    """The id of the set of those addresses and ports called *port_name* that a selector's endpoints have.

    *protocol* is ``tcp``, ``udp`` or ``sctp``, or ``any`` for a rule that names no protocol.
    """
    return unique_id("n", f"{selector_id},{protocol},{port_name}")


def length_limited_id(prefix: str, suffix: str, max_len: int) -> str:
    """*prefix* and *suffix* where they fit in *max_len*, else the prefix, ``_`` and as much of the suffix's hash as fits.

    A suffix that fits exactly but begins with ``_`` is hashed too, for it could be mistaken for a hash. An empty suffix
    counts as ``_``. ValueError where what must be hashed leaves no room for a character of the hash.
    """
    suffix = suffix or "_"
    whole = prefix + suffix
    if len(whole) < max_len or (len(whole) == max_len and not suffix.startswith("_")):
        return whole
    if max_len < len(prefix) + 2:
        raise ValueError(
            f"{max_len} characters leave no room for a hash after {prefix!r}; expected {len(prefix) + 2} or more"
        )
    hashed = _base64url(hashlib.sha256(suffix.encode()).digest())
    return f"{prefix}_{hashed}"[:max_len]


def _base64url(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
