"""Random clusters: every edit that ``tortie explain`` tells, applied, makes the oracle say otherwise.

Applied as its readers would: the JSON patch to the stored document, the changed file read again. Where an edit says that it changes
no other connection, all pairs of ends are compared (``tortie.analysis.reach``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

from tortie.analysis.cluster import filled_in
from tortie.analysis.edits.edit import Edit
from tortie.analysis.edits.files import Files, UnwritableEditError
from tortie.analysis.edits.state import State
from tortie.analysis.explanation import Explanation, explained, explanation_lines
from tortie.analysis.provenance import Provenance
from tortie.analysis.reach.diff import difference
from tortie.analysis.reach.states import load
from tortie.analysis.templates import of_a_cluster
from tortie.cli.patching import json_patch
from tortie.model.codec import Document, decode_document, encode_document, from_document, to_document
from tortie.model.document import ReadResource, read
from tortie.model.kinds import ResourceKey, key_of, kind_with_header
from tortie.model.meta import Resource
from tortie.model.validation import violations
from tortie.model.yamltext import yaml_lines, yaml_text
from tortie.testing.clusters import RandomCluster, random_cluster
from tortie.testing.flows import Traffic
from tortie.testing.vocabulary import chance
from tortie.verdict import Cluster, Flow

FLOWS = 3
"""Of each cluster."""
_FILE = "cluster.yaml"

_Resources = Mapping[ResourceKey, Resource]


class Failure(NamedTuple):
    """An edit that does not do what it says."""

    seed: int
    what: str
    explanation: Explanation

    def lines(self) -> Iterator[str]:
        yield f"TORTIE_SEED={self.seed} replays it: {self.what}"
        yield from explanation_lines(self.explanation)


def run(seed: int, tally: Counter[str]) -> Iterator[Failure]:
    """All that is wrong with the edits for some flows of the random cluster of that seed; what they are is counted."""
    rng = Random(seed)
    cluster = random_cluster(rng, hosts=rng.choice((1, 2)))
    traffic = Traffic(rng, cluster)
    stored = {key_of(resource): resource for resource in cluster.resources}
    of_store = State.of(filled_in(stored), Provenance.of_stored(stored))
    text = _text(rng, cluster)
    documents = read(text, source=_FILE, prepare=of_a_cluster).resources
    in_files = {item.key: item.resource for item in documents}
    of_files = State.of(filled_in(in_files), Provenance.of_documents(documents))
    for number in range(FLOWS):
        flow = traffic.flow()
        found = explained(of_store, flow)
        _count(tally, found)
        yield from (Failure(seed, what, found) for what in _wrong_in_store(stored, found, flow))
        if number == 0:
            found = explained(of_files, flow)
            yield from (Failure(seed, what, found) for what in _wrong_in_files(text, documents, found, flow, tally))


def _count(tally: Counter[str], found: Explanation) -> None:
    wanted = "deny" if found.verdict.allowed else "allow"
    if found.edit is None:
        reasons = {str(d.cause) for d in found.verdict.decisions if d.allowed is found.verdict.allowed}
        tally[f"none to {wanted}: {', '.join(sorted(reasons)) or 'no policy is asked'}"] += 1
        return
    tally[f"to {wanted}"] += 1
    for change in found.edit.changes:
        kinds: set[str] = {operation.op for operation in change.operations} or {"create"}
        tally.update(f"{kind} {change.key.kind.name} {change.key.kind.api_version}" for kind in kinds)


# --- in a datastore ------------------------------------------------------------------------------------------------------------


def _wrong_in_store(stored: _Resources, found: Explanation, flow: Flow) -> Iterator[str]:
    if found.edit is None:
        return
    after = dict(stored)
    for change in found.edit.document():
        document = _changed(stored, change)
        kind = kind_with_header(document["apiVersion"], document["kind"])
        assert kind is not None
        resource = from_document(document, kind.struct)
        yield from (f"it would be refused: {violation}" for violation in violations(kind, resource, document))
        after[key_of(resource)] = resource
    if _allows(after, flow) is found.verdict.allowed:
        yield "the verdict is the same with the edit"
    if found.edit.size.others == 0 and not _changes_one_pair(stored, after):
        yield "other connections change too"


def _changed(stored: _Resources, change: Mapping[str, Any]) -> Document:
    if "create" in change:
        document: Document = change["document"]
        return document
    header = change["change"]
    kind = kind_with_header(header["apiVersion"], header["kind"])
    assert kind is not None
    key = ResourceKey(kind, header.get("namespace", ""), header["name"])
    patched: Document = json_patch(_document(stored[key]), change["patch"])
    return patched


def _document(resource: Resource) -> Document:
    return decode_document(encode_document(to_document(resource)))


def _allows(resources: _Resources, flow: Flow) -> bool:
    return Cluster.of(filled_in(resources).values()).judge(flow).allowed


def _changes_one_pair(before: _Resources, after: _Resources) -> bool:
    changes = difference(load(filled_in(before).resources, filled_in(after).resources))
    return sum(len(change.sources) * len(change.destinations) for change in changes) <= 1


# --- in files --------------------------------------------------------------------------------------------------------------------


def _wrong_in_files(
    text: str, documents: tuple[ReadResource, ...], found: Explanation, flow: Flow, tally: Counter[str]
) -> Iterator[str]:
    if found.edit is None:
        return
    after = _edited(text, documents, found.edit)
    tally["written" if after is not None else "not to be written"] += 1
    if after is not None:
        resources = read(after, source=_FILE, prepare=of_a_cluster).resources
        if _allows({item.key: item.resource for item in resources}, flow) is found.verdict.allowed:
            yield "the verdict is the same with the edited file"


def _edited(text: str, documents: tuple[ReadResource, ...], edit: Edit) -> str | None:
    try:
        return Files({_FILE: text}, of_a_cluster).after(edit, documents)[_FILE]
    except UnwritableEditError:
        return None


def _text(rng: Random, cluster: RandomCluster) -> str:
    """The cluster as a file, its documents laid out in one way or the other."""
    return "---\n".join(_laid_out(rng, _document(resource)) for resource in cluster.resources)


def _laid_out(rng: Random, document: Document) -> str:
    lines = yaml_lines(document) if chance(rng, 0.5) else yaml_text(document).splitlines()
    before, after = (["# what it is for"] if chance(rng, 0.3) else [] for _ in range(2))
    return "\n".join([*before, *lines, *after, ""])
