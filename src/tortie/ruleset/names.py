"""What our chains and sets are called, so that ``nft list ruleset`` can be read.

    gi-stars/allow-ui     a group's rules for ingress: for now the group is one policy, named after it
    go-deny-metadata      a cluster-wide policy's rules for egress
    ei-5Fq0aVbC2xYz       a class of endpoints, ingress; eo-… egress
    s4-h3Kf…              the IPv4 members of a selector's set, all single addresses; s4n-… with networks among them
    n6-Pq2c…              the IPv6 members of a named-port set

The kernel allows 255 bytes for a chain and 31 for a set; nft(8) reads letters, digits and ``/ - _ .``, a letter first. Names
that do not fit are cut and end in ``_`` and a hash; no Kubernetes name has a ``_``, so a cut name is nobody's real one.
"""

from __future__ import annotations

import base64
import hashlib
import re

from tortie.calc.hoststate import IPSetId, PolicyId
from tortie.model.policy import Direction
from tortie.net import Family
from tortie.ruleset.values import SetType

MAX_SET_NAME = 31
MAX_CHAIN_NAME = 64
"""Far below the kernel's, and still a line that can be read."""
MAX_COMMENT = 128
"""nft(8) refuses longer ones."""

_LETTER = {Direction.INGRESS: "i", Direction.EGRESS: "o"}
_READABLE = re.compile(r"[A-Za-z0-9/.-]+")
_PLAIN_KINDS = ("NetworkPolicy", "GlobalNetworkPolicy")


def policy_chain(policy_id: PolicyId, direction: Direction) -> str:
    """The chain of a policy's rules for one direction."""
    prefix = f"g{_LETTER[direction]}-"
    text = f"{policy_id.namespace}/{policy_id.name}" if policy_id.namespace else policy_id.name
    whole = prefix + text
    if policy_id.kind in _PLAIN_KINDS and len(whole) <= MAX_CHAIN_NAME and _READABLE.fullmatch(text):
        return whole
    tail = "_" + short_hash("/".join(policy_id), 16)
    readable = re.sub(r"[^A-Za-z0-9/.-]", "-", text)
    return (prefix + readable)[: MAX_CHAIN_NAME - len(tail)] + tail


def class_chain(content_hash: str, direction: Direction) -> str:
    """The chain of a class of endpoints, by the hash of what it was created for."""
    return f"e{_LETTER[direction]}-{content_hash}"


def is_class_chain(name: str) -> bool:
    return name.startswith(("ei-", "eo-"))


def set_name(set_id: IPSetId, family: Family, set_type: SetType) -> str:
    """The kernel's set for one family of an IP set."""
    kind, _, content = set_id.partition(":")
    suffix = "n" if set_type is SetType.NETWORK else ""
    return f"{kind[0]}{family.value}{suffix}-{content}"[:MAX_SET_NAME]


def comment(text: str) -> str:
    """*text* as a rule's comment: cut with a hash where it is too long, and without the quote that would end it."""
    text = text.replace('"', "'")
    if len(text.encode()) <= MAX_COMMENT:
        return text
    tail = "_" + short_hash(text, 8)
    head = text.encode()[: MAX_COMMENT - len(tail)].decode(errors="ignore")
    return head + tail


def short_hash(text: str, length: int) -> str:
    """Letters and digits that stand for *text*."""
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return digest[:length]
