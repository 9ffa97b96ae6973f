"""``tortie apply``, ``get`` and ``delete``: resources in the datastore, from and to people."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from tortie.cli import output
from tortie.cli.datastore import open_store
from tortie.cli.errors import CommandError
from tortie.cli.manifests import read_manifests
from tortie.cli.settings import Settings, datastore_options
from tortie.cli.unmatched import warn_of_unknown_labels
from tortie.cli.writing import Action, Outcome, Stamp, entries, perform, plan_apply, plan_delete
from tortie.datastore.store import Entry, NotFoundError, Store
from tortie.model.codec import Document, InvalidResourceError
from tortie.model.columns import columns
from tortie.model.defaults import from_storage
from tortie.model.kinds import KINDS, Kind, ResourceKey, find_kind, parse_path

_FILES_HELP = "A file, a directory of .yaml, .yml and .json files, or - for standard input. May be repeated."


def _namespace_option(help_text: str) -> Callable[[Any], Any]:
    return click.option("-n", "--namespace", default="default", show_default=True, metavar="NS", help=help_text)


# --- apply -----------------------------------------------------------------------------------------------------------------


@click.command()
@click.option("-f", "--filename", "files", multiple=True, required=True, metavar="FILE|DIR|-", help=_FILES_HELP)
@click.option("-R", "--recursive", is_flag=True, help="Read the directories in a directory too.")
@_namespace_option("For namespaced resources that do not name theirs.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be done; write nothing.")
@datastore_options
@click.pass_obj
def apply(
    settings: Settings, files: tuple[str, ...], recursive: bool, namespace: str, form: str, dry_run: bool,
    datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Create or change resources, so that they are as files say.

    Files hold YAML or JSON: one or more documents, or a List. Calico's kinds (projectcalico.org/v3) and Kubernetes' Namespace,
    ServiceAccount, NetworkPolicy, ClusterNetworkPolicy, Pod, Service and EndpointSlice are known. Everything is read and checked first, so that a mistake anywhere changes
    nothing; then all of it is written in one transaction. A Kubernetes object is stored with the Calico objects that it means.

    A resource that exists gets the file's spec, labels and annotations, and keeps its uid, creation time and status, and fields
    that a newer version has stored in it. A file with metadata.resourceVersion, as `tortie get -o yaml` prints it, changes that
    revision only.

    Scalars are read as Calico's command reads them (YAML 1.1: `no` is a truth value, 010 is eight). A warning says where the
    text that is stored is not the text that was written, and where a selector has a label that nothing has, if the datastore
    is not too large to be looked through (`tortie lint --live` always does).

    With -o json, each resource is reported with the revision of its write and committedAtNs, the machine's monotonic clock
    just before its commit.

    \b
    Examples:
      tortie apply -f policy.yaml
      tortie apply -f manifests/ -n stars --dry-run
      cat policy.yaml | tortie --lab demo apply -f -
    """
    # Read before a lab is joined: inside it, /run and the like are the lab's.
    resources = read_manifests(files, namespace=namespace, recursive=recursive)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stamp = Stamp(lambda: str(uuid.uuid4()), now)
    with open_store(settings.over(datastore, lab).url(), create=not dry_run) as store:
        outcomes = perform(store, lambda: plan_apply(store, resources, stamp), time.monotonic_ns, dry_run=dry_run)
        warn_of_unknown_labels(store, resources)
    _report(outcomes, form, dry_run=dry_run)


def _report(outcomes: Iterable[Outcome], form: str, *, dry_run: bool = False) -> None:
    if form == "json":
        output.print_json([_as_json(outcome) for outcome in outcomes])
        return
    for key, action, _, _ in outcomes:
        named = f'{key.kind.name.lower()} "{key.name}"' if action is Action.DELETED else output.short_name(key)
        click.echo(f"{named} {action}{' (dry run)' if dry_run else ''}")


def _as_json(outcome: Outcome) -> dict[str, object]:
    kind, namespace, name = outcome.key
    return {
        "apiVersion": kind.api_version, "kind": kind.name, "namespace": namespace, "name": name,
        "action": outcome.action, "revision": outcome.revision, "committedAtNs": outcome.committed_at_ns,
    }  # fmt: skip


# --- get -------------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("kind_name", metavar="KIND")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_namespace_option("The namespace to look in.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all namespaces.")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Only those with this label. May be repeated.",
)
@click.option(
    "-o", "--output", "form", type=click.Choice(["ps", "wide", "json", "yaml", "name"]), default="ps", show_default=True,
    help="A table (ps, or wide with more columns), whole documents, or names.",
)  # fmt: skip
@datastore_options
@click.pass_obj
def get(
    settings: Settings, kind_name: str, names: tuple[str, ...], namespace: str, all_namespaces: bool, labels: tuple[str, ...],
    form: str, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Show the resources of KIND: all of them, or those called NAME.

    KIND is a kind's name, plural or short name, in any case: networkpolicy, nodes, gnp. NetworkPolicy alone is Calico's;
    Kubernetes' is netpol, or networkpolicy.networking.k8s.io. What `-o yaml` and `-o json` print can be applied again.

    \b
    Examples:
      tortie get netpol -A
      tortie get pods -n stars -l role=frontend -o wide
      tortie get gnp allow-dns -o yaml
    """
    kind = resolve_kind(kind_name)
    if names and all_namespaces:
        raise click.UsageError("names and --all-namespaces exclude each other")
    wanted = _labels(labels)
    with open_store(settings.over(datastore, lab).url()) as store:
        revision = store.revision()
        found = (
            _named(store, kind, namespace, names) if names else _all(store, kind, None if all_namespaces else namespace)
        )
        documents = [document for document in _documents(found) if _has_labels(document, wanted)]
    if form in ("json", "yaml"):
        whole = documents[0] if len(names) == 1 and documents else output.as_list(kind, documents, revision)
        (output.print_json if form == "json" else output.print_yaml)(whole)
    elif form == "name":
        for document in documents:
            click.echo(output.short_name(ResourceKey(kind, "", document["metadata"]["name"])))
    elif documents:
        _print_table(kind, documents, wide=form == "wide", with_namespace=all_namespaces and kind.namespaced)
    else:
        where = f" in namespace {namespace}" if kind.namespaced and not all_namespaces else ""
        click.echo(f"There are no {kind.plural}{where}.", err=True)


def resolve_kind(name: str) -> Kind:
    """The kind that *name* calls: a name, plural or short name, with a group after a dot where it must be told apart."""
    plain, _, group = name.partition(".")
    versions = [kind.api_version for kind in KINDS if group and kind.api_version.rpartition("/")[0] == group.lower()]
    kind = find_kind(plain, versions[0]) if versions else None if group else find_kind(plain)
    if kind is None:
        known = ", ".join(sorted({kind.plural for kind in KINDS}))
        raise click.UsageError(f"{name!r} is not a kind; there are {known}")
    return kind


def _labels(texts: Iterable[str]) -> Mapping[str, str | None]:
    pairs = (part.partition("=") for text in texts for part in text.split(",") if part)
    return {name: value.removeprefix("=") if equals else None for name, equals, value in pairs}


def _has_labels(document: Document, wanted: Mapping[str, str | None]) -> bool:
    labels = document["metadata"].get("labels") or {}
    return all(name in labels and value in (None, labels[name]) for name, value in wanted.items())


def _all(store: Store, kind: Kind, namespace: str | None) -> list[Entry]:
    within = f"{namespace}/" if kind.namespaced and namespace else ""
    return list(entries(store, kind.prefix + within))


def _named(store: Store, kind: Kind, namespace: str, names: Iterable[str]) -> list[Entry]:
    found, missing = [], []
    for name in names:
        key = _key(kind, namespace, name)
        try:
            found.append(store.get(key.path))
        except NotFoundError:
            missing.append(f"{key} does not exist")
    if missing:
        raise CommandError("; ".join(missing))
    return found


def _key(kind: Kind, namespace: str, name: str) -> ResourceKey:
    if "/" in name:
        raise click.UsageError(f"{name!r} is not a name: it has a '/'")
    return ResourceKey(kind, namespace if kind.namespaced else "", name)


def _documents(found: Iterable[Entry]) -> list[Document]:
    documents = []
    for entry in found:
        try:
            document = from_storage(entry.value, entry.revision)
        except InvalidResourceError as error:
            click.echo(f"Warning: {parse_path(entry.key)} cannot be read: {error}", err=True)
            continue
        documents.append(document)
    return documents


def _print_table(kind: Kind, documents: Iterable[Document], *, wide: bool, with_namespace: bool) -> None:
    shown = columns(kind, wide=wide)
    headers = [*(["NAMESPACE"] if with_namespace else []), "NAME", *(column.header for column in shown)]
    rows = []
    for document in documents:
        metadata = document["metadata"]
        place = [metadata.get("namespace", "")] if with_namespace else []
        rows.append([*place, metadata.get("name", ""), *(column.text(document) for column in shown)])
    output.print_table(headers, rows)


# --- delete ----------------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("kind_name", metavar="[KIND", required=False)
@click.argument("names", nargs=-1, metavar="NAME...]")
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help=_FILES_HELP)
@click.option("-R", "--recursive", is_flag=True, help="Read the directories in a directory too.")
@_namespace_option("Of the resources named, or of those in files that do not name theirs.")
@click.option("--ignore-not-found", is_flag=True, help="Do not mind what does not exist.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@datastore_options
@click.pass_obj
def delete(
    settings: Settings, kind_name: str | None, names: tuple[str, ...], files: tuple[str, ...], recursive: bool, namespace: str,
    ignore_not_found: bool, form: str, datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Delete resources, by KIND and NAME or as named by files.

    A Kubernetes object goes together with the Calico objects that it means, and a Namespace with everything in it. All
    of it is one transaction: if one resource does not exist, nothing is deleted, unless --ignore-not-found is given. A tier
    that still has policies stays.

    \b
    Examples:
      tortie delete netpol default-deny -n stars
      tortie delete -f policy.yaml --ignore-not-found
      tortie delete namespace stars client management-ui
    """
    if files and kind_name:
        raise click.UsageError("-f and KIND exclude each other")
    if files:
        read = read_manifests(files, namespace=namespace, recursive=recursive)
        keys = {item.key: item.document["metadata"].get("resourceVersion", "") for item in read}
    elif kind_name and names:
        kind = resolve_kind(kind_name)
        keys = dict.fromkeys((_key(kind, namespace, name) for name in names), "")
    else:
        raise click.UsageError("what is to be deleted? Give KIND and NAME, or -f FILE")
    with open_store(settings.over(datastore, lab).url()) as store:
        plan = lambda: plan_delete(store, keys, ignore_not_found=ignore_not_found)  # noqa: E731
        outcomes = perform(store, plan, time.monotonic_ns)
    _report(outcomes, form)
