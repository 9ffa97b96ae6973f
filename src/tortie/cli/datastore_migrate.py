"""``tortie datastore migrate``: Calico's own form of a datastore's content, as ``calicoctl datastore migrate`` writes it.

Three parts, with a line ``===`` between them: YAML lists of resources, one for each kind; ClusterInformation as JSON; IPAM's
keys and values as JSON. Workload endpoints and profiles are not in it, nor what Kubernetes' own policies mean: who made those
makes them again. What is to be moved whole goes by ``tortie datastore export``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click
import msgspec

from tortie.cli.admission import is_managed
from tortie.cli.carrying_out import new_stamp
from tortie.cli.cluster import adopt, describe, initialise, ready
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError, refuse_for
from tortie.cli.manifests import text_of
from tortie.cli.options import version_option
from tortie.cli.output import json_text, without_metadata
from tortie.cli.settings import Settings, datastore_options
from tortie.cli.writing import perform, plan_apply
from tortie.cli.writing.reading import find
from tortie.datastore.store import Absent, Entry, Put, Store, entries
from tortie.datastore.transfer import Item, batches
from tortie.ipam.keys import ROOT
from tortie.model import kinds
from tortie.model.blocks import ASSIGNMENT_PREFIX, BLOCK_PREFIX
from tortie.model.checks.policy import BUILT_IN_TIERS
from tortie.model.codec import Document, InvalidResourceError, decode_document
from tortie.model.document import ReadResource, read
from tortie.model.kinds import Kind, parse_path
from tortie.model.stored import from_storage
from tortie.model.yamltext import yaml_text

KINDS: Sequence[Kind] = (
    kinds.IP_POOL,
    kinds.BGP_PEER,
    kinds.TIER,  # before the policies in them
    kinds.GLOBAL_NETWORK_POLICY,
    kinds.STAGED_GLOBAL_NETWORK_POLICY,
    kinds.GLOBAL_NETWORK_SET,
    kinds.HOST_ENDPOINT,
    kinds.KUBE_CONTROLLERS_CONFIGURATION,
    kinds.NETWORK_POLICY,
    kinds.STAGED_NETWORK_POLICY,
    kinds.STAGED_KUBERNETES_NETWORK_POLICY,
    kinds.NETWORK_SET,
    kinds.NODE,
    kinds.BGP_CONFIGURATION,
    kinds.FELIX_CONFIGURATION,
    kinds.IP_RESERVATION,
    kinds.BGP_FILTER,
)
"""What is in the first part, in Calico's order."""

_SEPARATOR = "===\n"
_OF_THE_CLUSTER = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")

_AFFINITY_PREFIXES = (BLOCK_PREFIX, f"{ROOT}virtual/")
_HANDLE_PREFIX = f"{ROOT}handle/"
_CONFIG_KEY = f"{ROOT}config"


class Part(NamedTuple):
    """The content of a file in Calico's form."""

    resources: tuple[ReadResource, ...]
    cluster: Document
    ipam: tuple[Item, ...]


@click.group()
def migrate() -> None:
    """Read and write Calico's own form of a datastore's content, as `calicoctl datastore migrate` does."""


# --- out -------------------------------------------------------------------------------------------------------------------


@migrate.command()
@datastore_options
@version_option
@click.pass_obj
def export(settings: Settings, datastore: str | None, lab: str | None) -> None:
    """Print the resources and IPAM data of the datastore, which must be locked.

    `calicoctl datastore migrate import` reads it for a cluster with the Kubernetes API as its datastore, and `tortie datastore migrate
    import` for any other.

    \b
    Example:
      tortie datastore migrate lock
      tortie datastore migrate export
    """
    with open_store(settings.over(datastore, lab).connection()) as store:
        if ready(store) is not False:
            raise CommandError(
                "the datastore is not locked; run `tortie datastore migrate lock` first, or it changes meanwhile"
            )
        text = export_text(store)
    click.echo(text, nl=False)


def export_text(store: Store) -> str:
    """The three parts; CommandError for a node that has another name in Kubernetes, under which Calico would want it."""
    lists = (_list(store, kind) for kind in KINDS)
    resources = "".join(f"{yaml_text(found)}---\n" for found in lists)
    cluster = _json(describe(store))
    return _SEPARATOR.join((resources, cluster, _json(_ipam(store))))


def _list(store: Store, kind: Kind) -> Document:
    documents = [_portable(kind, entry) for entry in entries(store, kind.prefix) if not _is_managed(entry)]
    return {"apiVersion": kind.api_version, "items": documents, "kind": f"{kind.name}List", "metadata": {}}


def _is_managed(entry: Entry) -> bool:
    key = parse_path(entry.key)
    return key is not None and is_managed(key)


def _portable(kind: Kind, entry: Entry) -> Document:
    """A resource without what only this cluster knows."""
    try:
        document = from_storage(entry.value, entry.revision)
    except InvalidResourceError as error:
        raise CommandError(f"{parse_path(entry.key)} cannot be read: {error}") from error
    if kind is kinds.NODE:
        _refuse_other_name(document["metadata"]["name"], document)
    return without_metadata(document, _OF_THE_CLUSTER)


def _refuse_other_name(name: str, document: Document) -> None:
    for reference in (document.get("spec") or {}).get("orchRefs") or ():
        if reference.get("orchestrator") == "k8s" and reference.get("nodeName") not in (None, "", name):
            raise CommandError(
                f"Node {name} is {reference['nodeName']} in Kubernetes: renaming nodes on the way is not supported; use calicoctl for this"
            )


def _ipam(store: Store) -> Document:
    affinities = [entry for prefix in _AFFINITY_PREFIXES for entry in entries(store, prefix) if "/block/" in entry.key]
    config = find(store, _CONFIG_KEY)
    parts = {
        "block_affinities": [_pair(entry) for entry in affinities],
        "blocks": [_pair(entry) for entry in entries(store, ASSIGNMENT_PREFIX)],
        "handles": [_pair(entry) for entry in entries(store, _HANDLE_PREFIX)],
        "config": _pair(config) if config else None,
    }
    return {name: pairs for name, pairs in parts.items() if pairs}


def _pair(entry: Entry) -> Document:
    try:
        return {"Key": entry.key, "Value": decode_document(entry.value or b"{}"), "TTL": 0}
    except InvalidResourceError as error:
        raise CommandError(f"{entry.key} cannot be read: {error}") from error


def _json(value: object) -> str:
    return json_text(value) + "\n"


# --- in --------------------------------------------------------------------------------------------------------------------


@migrate.command("import")
@click.option("-f", "--filename", "file", required=True, metavar="FILE|-", help="What was exported.")
@version_option
@datastore_options
@click.pass_obj
def import_(settings: Settings, file: str, datastore: str | None, lab: str | None) -> None:
    """Write what `calicoctl datastore migrate export` or ours printed to a datastore without resources and IPAM data.

    Everything is read and checked first. The datastore is locked before and stays locked: `tortie datastore migrate unlock` when
    all hosts are configured for it.
    """
    source, text = text_of(file)
    found = read_parts(text, source)
    with open_store(settings.over(datastore, lab).connection(), create=True) as store:
        _refuse_content(store)
        stamp = new_stamp()
        initialise(store, uuid.uuid4().hex, stamp)
        adopt(store, found.cluster)
        done = (
            perform(store, lambda: plan_apply(store, found.resources, stamp), time.monotonic_ns, is_repeatable=True)
            if found.resources
            else ()
        )
        for batch in batches(found.ipam, store.limits):
            store.transact([Absent(item.key) for item in batch], [Put(*item) for item in batch])
    click.echo(f"{len(done)} resources and {len(found.ipam)} keys of IPAM imported; the datastore is locked")


def read_parts(text: str, source: str) -> Part:
    """The content of *text*, all of it checked; CommandError names what is wrong, and where."""
    parts = text.split(_SEPARATOR)
    if len(parts) != 3:
        raise CommandError(
            f"{source}: not what `datastore migrate export` writes: it has {len(parts)} parts, expected 3"
        )
    resources, cluster, ipam = parts
    result = read(resources, source=source)
    refuse_for(result.errors)
    return Part(
        result.resources,
        _document(cluster, source, "ClusterInformation"),
        tuple(_items(_document(ipam, source, "IPAM"), source)),
    )


def _document(text: str, source: str, what: str) -> Document:
    try:
        return decode_document(text.encode())
    except InvalidResourceError as error:
        raise CommandError(f"{source}: the part of {what} cannot be read: {error}") from error


def _items(ipam: Document, source: str) -> Iterator[Item]:
    pairs: list[Any] = [pair for part in ("block_affinities", "blocks", "handles") for pair in ipam.get(part) or ()]
    pairs += [ipam["config"]] if ipam.get("config") else []
    for pair in pairs:
        match pair:
            case {"Key": str(key), "Value": dict(value)} if key.startswith(ROOT):
                yield Item(key, msgspec.json.encode(value))
            case _:
                raise CommandError(f"{source}: {pair!r} is no entry of IPAM; expected Key, below {ROOT}, and Value")


def _refuse_content(store: Store) -> None:
    for kind in KINDS:
        for entry in entries(store, kind.prefix):
            key = parse_path(entry.key)
            if key is not None and not (kind is kinds.TIER and key.name in BUILT_IN_TIERS):
                raise CommandError(f"the datastore is not empty: {key} is there")
    for prefix in (*_AFFINITY_PREFIXES, ASSIGNMENT_PREFIX, _HANDLE_PREFIX, _CONFIG_KEY):
        for entry in entries(store, prefix):
            raise CommandError(f"the datastore is not empty: {entry.key} is there")
