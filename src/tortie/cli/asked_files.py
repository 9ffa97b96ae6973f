"""The cluster of people's files, as far as one question can need it: of a large folder few documents are decoded.

That every file is YAML is looked at all the same, so that one unreadable file answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tortie.analysis.cluster import KnownCluster
from tortie.analysis.ends import Directory, NamedFlow, Question, UnknownEndError
from tortie.analysis.skimming import Skimming, words_of_flow, words_of_question
from tortie.analysis.templates import of_a_cluster
from tortie.cli.clusters import cluster_of_resources, tell_left_out
from tortie.cli.errors import refuse_for
from tortie.cli.manifests import checked, contents, reading
from tortie.model.document import ReadResource, ReadResult
from tortie.model.yamltree import is_well_formed


class Asked(NamedTuple):
    """A question's flows, and the part of the cluster that bears on them."""

    cluster: KnownCluster
    flows: tuple[NamedFlow, ...]
    read: tuple[ReadResource, ...]
    """The documents of that part."""
    texts: Mapping[str, str]
    """All files by their names."""


def asked_files(files: Sequence[str], question: Question, *, recursive: bool) -> Asked:
    """What *files* say that *question* depends on. CommandError as ``read_manifests`` has it; UnknownEndError, ValueError."""
    texts = _Texts(files, recursive=recursive)
    words = words_of_question(question)
    needed = texts.needed(words)
    while texts.are_readable:
        results = texts.results(needed)
        refuse_for([error for result in results for error in result.errors])
        try:
            found = _found([item for result in results for item in result.resources], question, texts)
        except UnknownEndError:
            break  # it may stand where its words do not; and what is nearest is looked for among all
        words |= {word for named in found.flows for word in words_of_flow(named)}
        known, needed = needed, texts.needed(words)
        if needed == known:
            checked(results)
            tell_left_out(found.cluster, found.read)
            return found
    found = _found(checked(texts.results()), question, texts)
    tell_left_out(found.cluster, found.read)
    return found


def _found(read: Sequence[ReadResource], question: Question, texts: _Texts) -> Asked:
    cluster = cluster_of_resources({item.key: item.resource for item in read})
    return Asked(cluster, Directory(cluster).flows(question), tuple(read), texts.by_name)


class _Texts:
    """The files, read once, and decoded as often as more of them turns out to be needed."""

    def __init__(self, files: Sequence[str], *, recursive: bool) -> None:
        self._contents = list(contents(files, recursive=recursive))
        self._skimmed = list(map(_skimmed, self._contents))
        self.are_readable = all(skimmed is not None for skimmed in self._skimmed)
        """Whether all of them are YAML."""

    @property
    def by_name(self) -> Mapping[str, str]:
        """Of those that are text."""
        return {source: content.decode("utf-8-sig") for source, content in self._contents}

    def needed(self, words: frozenset[str]) -> list[frozenset[int]]:
        """Of each file the documents that bear on what *words* name."""
        return [skimmed.needed(words) for skimmed in self._skimmed if skimmed is not None]

    def results(self, needed: Sequence[frozenset[int]] | None = None) -> list[ReadResult]:
        """What the files hold: all of it, or only those documents of each."""
        texts = [content for _, content in self._contents]
        if needed is not None:
            parts = zip(self._skimmed, needed, strict=True)
            texts = [skimmed.only(numbers).encode() for skimmed, numbers in parts if skimmed is not None]
        return [
            reading(source, text, prepare=of_a_cluster)
            for (source, _), text in zip(self._contents, texts, strict=True)
            if text.strip()
        ]


def _skimmed(content: tuple[str, bytes]) -> Skimming | None:
    """None for what is no text, or no YAML."""
    try:
        text = content[1].decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return Skimming(text) if is_well_formed(text) else None
