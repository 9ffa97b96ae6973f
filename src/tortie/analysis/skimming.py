"""Which documents of people's files a question about two ends can need, by their text: the others need not be decoded.

A pod, policy or service of another namespace bears on a flow only if it names that namespace, a host or an address of one of the
ends; so one without any of these words is left out. What is no such document, or not plainly written as one, is always needed: a
policy of the whole cluster, a network set, a list, JSON.

    text ──► skimmed(text, words) ──► the same text, with the other documents blank: every line stays where it was
"""

from __future__ import annotations

import re
from collections.abc import Collection

from tortie.analysis.ends import HOST, SERVICE, NamedFlow, Question
from tortie.net import Address
from tortie.verdict.refs import NO_ADDRESS, EndpointRef, HostRef

_OF_A_NAMESPACE = (
    "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController",
    "Namespace", "ServiceAccount", "Service", "EndpointSlice", "WorkloadEndpoint",
    "NetworkPolicy", "StagedNetworkPolicy", "StagedKubernetesNetworkPolicy",
)  # fmt: skip
"""Kinds that bear on no other namespace's ends; a NetworkSet may hold anybody's addresses."""

_START = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
"""Where a document begins: nothing else may look so (YAML 1.2.2, c-forbidden)."""
_UNUSUAL = ("\n...", "\n%", "\x85", "\u2028", "\u2029", "\ufeff")
"""What a whole text must not have: an end of a document, a directive, lines that end in other ways."""
_KIND = re.compile(rf"^kind: +({'|'.join(_OF_A_NAMESPACE)}) *\r?$", re.MULTILINE)
_ODD = re.compile(r"^(?![a-z][A-Za-z]*: |[a-z][A-Za-z]*:\r?$|#|---\s|---\Z|- |-\r?$|\s)[^\n]", re.MULTILINE)
"""A line at the margin that is no plain key, item or comment: then nobody knows by the text which fields are the document's."""
_NOT_AS_WRITTEN = re.compile(r"amespace: *(?:[-+.~0-9]|(?i:y|n|yes|no|on|off|true|false|null)\b)")
"""A namespace that is not called as it is written (YAML 1.1)."""
_SAYS_NAMESPACE = re.compile(
    r"^metadata: *(?:\{(?:[^{}'\"]*[ ,])?namespace: |\r?\n(?=( +))(?:\1.*\n)*?\1namespace: )", re.MULTILINE
)
"""Metadata with a namespace; what has none is of the namespace ``default``."""
_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f.]*")
"""An address, or a part of one; it may be written in several ways."""


class Skimming:
    """A text, cut into its documents."""

    def __init__(self, text: str) -> None:
        is_unusual = _is_unusual(text)
        starts = [0] if is_unusual else [0, *(found.start() for found in _START.finditer(text))]
        self._documents = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
        self._always = [is_unusual or _is_always_needed(document) for document in self._documents]

    def needed(self, words: Collection[str]) -> frozenset[int]:
        """The documents that bear on ends of which *words* are the namespaces, names, hosts and addresses."""
        pattern, also_ipv6 = _any_of(words), any(":" in word for word in words)
        return frozenset(
            number
            for number, document in enumerate(self._documents)
            if self._always[number]
            or (any(word in document for word in words) and pattern.search(document))
            or ("default" in words and _SAYS_NAMESPACE.search(document) is None)
            or (also_ipv6 and _IPV6.search(document))
        )

    def only(self, needed: Collection[int]) -> str:
        """The text with all other documents blank."""
        return "".join(
            document if number in needed else "\n" * document.count("\n")
            for number, document in enumerate(self._documents)
        )


def _is_unusual(text: str) -> bool:
    """Whether where its documents begin is not plain to see."""
    return (
        text.startswith(("...", "%"))
        or any(mark in text for mark in _UNUSUAL)
        or ("\r" in text and "\r" in text.replace("\r\n", ""))
    )


def _any_of(words: Collection[str]) -> re.Pattern[str]:
    """Any of *words* as a whole name."""
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, words))})(?![\w.-])")


def _is_always_needed(document: str) -> bool:
    """Whether it is not plainly one of the kinds that bear on their own namespace only."""
    return (
        document.count("\nkind:") + document.startswith("kind:") != 1
        or _KIND.search(document) is None
        or "\\" in document
        or "*" in document
        or _ODD.search(document) is not None
        or _NOT_AS_WRITTEN.search(document) is not None
    )


# --- words -------------------------------------------------------------------------------------------------------------------


def words_of_question(question: Question) -> frozenset[str]:
    """The namespaces of its ends, or what else they are called."""
    names = (
        text.rpartition(":")[2] if text.startswith((HOST, SERVICE)) else text
        for text in (question.source, question.destination)
    )
    return frozenset(name.partition("/")[0] for name in names if name)


def words_of_flow(named: NamedFlow) -> frozenset[str]:
    """All that a document can name the ends of a flow by."""
    words: set[str] = set()
    for called, end in ((named.source, named.flow.source), (named.destination, named.flow.destination)):
        words.update((called.service.partition("/")[0],) if called.service else ())
        match end:
            case EndpointRef():
                words.add(end.namespace)
            case HostRef():
                words.add(end.node)
            case Address():
                pass
        address = end if isinstance(end, Address) else end.address
        words.update(() if address in NO_ADDRESS.values() else (str(address),))
    return frozenset(words)
