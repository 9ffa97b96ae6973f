"""``tortie get``: resources of the datastore, in whichever form is asked for. Quick to load: it is what people type most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import click

from tortie.cli import output
from tortie.cli.errors import CommandError
from tortie.cli.forms import Form, FormType
from tortie.cli.naming import namespace_of, resolve_kind, resource_key
from tortie.cli.options import files_options, namespace_option, version_option
from tortie.cli.settings import Settings, datastore_options
from tortie.datastore.store import Entry, NotFoundError, Store, entries
from tortie.model import kinds
from tortie.model.codec import Document, InvalidResourceError
from tortie.model.kinds import Kind, ResourceKey, parse_path
from tortie.model.stored import from_storage

_OF_THE_CLUSTER = ("uid", "resourceVersion", "creationTimestamp", "generation", "selfLink", "managedFields")


class Found(NamedTuple):
    """A resource that was asked for."""

    kind: Kind
    document: Document


class Wish(NamedTuple):
    """What is asked for: resources by name, or all of a kind."""

    kind: Kind | None
    """None: of several kinds, by files."""
    keys: tuple[ResourceKey, ...] = ()
    """Empty: all of the kind."""
    namespace: str | None = None
    """None: in all of them."""

    @property
    def prefix(self) -> str:
        """What the keys of all that is wished for begin with."""
        assert self.kind is not None
        return self.kind.prefix + (f"{self.namespace}/" if self.namespace else "")


@click.command()
@click.argument("kind_name", metavar="[KIND", required=False)
@click.argument("names", nargs=-1, metavar="[NAME]...]")
@files_options()
@namespace_option("The namespace to look in, or that of resources in files that do not name theirs.")
@click.option("-A", "-a", "--all-namespaces", is_flag=True, help="Look in all namespaces.")
@click.option(
    "-l", "--selector", "--label", "selectors", multiple=True, metavar="SELECTOR",
    help="Only those whose labels it selects: role=web,!canary, or \"role == 'web' && !has(canary)\". May be repeated.",
)  # fmt: skip
@click.option(
    "-o", "--output", "form", type=FormType(), default="ps", show_default=True, metavar="FORM",
    help="A table (ps, or wide with more columns), whole documents (yaml, json), name, custom-columns=HEADER:PATH,… or "
    "jsonpath=TEMPLATE.",
)  # fmt: skip
@click.option("--export", is_flag=True, help="Leave out what belongs to this cluster: uid, revision, times.")
@click.option("-w", "--watch", is_flag=True, help="Go on, and show what changes, until interrupted.")
@version_option
@datastore_options
@click.pass_obj
def get(
    settings: Settings, kind_name: str | None, names: tuple[str, ...], files: tuple[str, ...], recursive: bool,
    namespace: str | None, all_namespaces: bool, selectors: tuple[str, ...], form: Form, export: bool, watch: bool,
    datastore: str | None, lab: str | None,
) -> None:  # fmt: skip
    """Show the resources of KIND: all of them, those called NAME, or those that files name.

    KIND is a kind's name, plural or short name, in any case: networkpolicy, nodes, gnp. NetworkPolicy alone is Calico's;
    Kubernetes' is netpol, or networkpolicy.networking.k8s.io. What `-o yaml` and `-o json` print can be applied again; with
    --export, also to another cluster.

    Custom columns are headers with paths (NAME:.metadata.name), or headers of the wide table alone. JSONPath is kubectl's.

    With --watch, a table has a column EVENT; -o json prints a line of {"type", "object"} for each event, -o yaml a document.

    \b
    Examples:
      tortie get netpol -A
      tortie get pods -n stars -l role=frontend -o wide
      tortie get gnp allow-dns -o yaml --export
      tortie get gnp -o custom-columns=NAME:.metadata.name,ORDER:.spec.order
      tortie get pods -A -o jsonpath='{range .items[*]}{.metadata.name}{"\\n"}{end}'
      tortie get wep -A --watch
    """
    from tortie.cli.datastore import open_store  # noqa: PLC0415 - needs nothing if the arguments are wrong

    wish = _wish(kind_name, names, files, recursive, namespace, all_namespaces=all_namespaces)
    selects = _filter(selectors)
    with_namespace = all_namespaces or wish.kind is None
    with open_store(settings.over(datastore, lab).connection()) as store:
        if watch:
            if wish.kind is None:
                raise click.UsageError("--watch follows resources of one kind")
            from tortie.cli.following import follow  # noqa: PLC0415 - an event loop takes time to load

            follow(store, wish, selects, form, with_namespace=with_namespace, change=_exported if export else None)
            return
        revision = store.revision()
        found = [one for one in find(store, wish) if selects(one.document)]
    if export:
        found = [one._replace(document=_exported(one.document)) for one in found]
    _show(found, wish, form, revision, with_namespace=with_namespace)


def _wish(
    kind_name: str | None, names: tuple[str, ...], files: tuple[str, ...], recursive: bool, namespace: str | None,
    *, all_namespaces: bool,
) -> Wish:  # fmt: skip
    if bool(kind_name) == bool(files):
        raise click.UsageError("what is to be shown? Give KIND, or -f FILE; not both")
    if files:
        from tortie.cli.manifests import read_manifests  # noqa: PLC0415 - YAML takes time to load

        keys = tuple(item.key for item in read_manifests(files, namespace=namespace, recursive=recursive))
        of_kind = {key.kind for key in keys}
        return Wish(of_kind.pop() if len(of_kind) == 1 else None, keys)
    assert kind_name is not None
    if "/" in kind_name:
        kind_name, names = kind_name.partition("/")[0], (kind_name, *names)
    kind = resolve_kind(kind_name)
    if names and all_namespaces:
        raise click.UsageError("names and --all-namespaces exclude each other")
    if all_namespaces and not kind.namespaced:
        raise click.UsageError(f"{kind.name} is not namespaced: leave out --all-namespaces")
    where = namespace_of(kind, namespace)
    keys = tuple(dict.fromkeys(resource_key(kind, namespace, name) for name in names))
    return Wish(kind, keys, None if all_namespaces else where)


def _filter(selectors: Sequence[str]) -> Callable[[Document], bool]:
    if not selectors:
        return lambda _: True
    from tortie.cli.labelselector import label_filter  # noqa: PLC0415 - selectors take time to load

    return label_filter(selectors)


# --- finding ---------------------------------------------------------------------------------------------------------------


def find(store: Store, wish: Wish) -> list[Found]:
    """What is wished for, in the order to show; CommandError names all that is not there."""
    if wish.keys:
        return _named(store, wish.keys)
    assert wish.kind is not None
    found = list(_readable(wish.kind, entries(store, wish.prefix)))
    if wish.kind is kinds.TIER:
        from tortie.cli.writing.tiers import built_in_tiers, tier_order  # noqa: PLC0415 - few look at tiers

        there = {one.document["metadata"].get("name") for one in found}
        found += [Found(key.kind, document) for key, document in built_in_tiers() if key.name not in there]
        found.sort(key=lambda one: tier_order(one.document))
    return found


def _named(store: Store, keys: Iterable[ResourceKey]) -> list[Found]:
    found: list[Found] = []
    missing: list[ResourceKey] = []
    for key in keys:
        try:
            found += _readable(key.kind, [store.get(key.path)])
        except NotFoundError:
            built_in = _built_in(key)
            if built_in is None:
                missing.append(key)
            else:
                found.append(Found(key.kind, built_in))
    if missing:
        raise CommandError("; ".join(f"{key} does not exist" for key in missing))
    return found


def _built_in(key: ResourceKey) -> Document | None:
    if key.kind is not kinds.TIER:
        return None
    from tortie.cli.writing.tiers import built_in_tiers  # noqa: PLC0415 - few look at tiers

    return dict(built_in_tiers()).get(key)


def _readable(kind: Kind, stored: Iterable[Entry]) -> Iterator[Found]:
    for entry in stored:
        if (document := readable(entry.key, entry.value, entry.revision)) is not None:
            yield Found(kind, document)


def readable(path: str, value: bytes, revision: int) -> Document | None:
    """The document of a stored value; None, after a warning, where it is none."""
    try:
        return from_storage(value, revision)
    except InvalidResourceError as error:
        click.echo(f"Warning: {parse_path(path)} cannot be read: {error}", err=True)
        return None


def _exported(document: Document) -> Document:
    return output.without_metadata(document, _OF_THE_CLUSTER)


# --- showing ---------------------------------------------------------------------------------------------------------------


def _show(found: Sequence[Found], wish: Wish, form: Form, revision: int, *, with_namespace: bool) -> None:
    documents = [one.document for one in found]
    if form.name in ("json", "yaml", "jsonpath"):
        whole = documents[0] if len(wish.keys) == 1 and documents else output.as_list(wish.kind, documents, revision)
        show_document(whole, form)
    elif form.name == "name":
        for kind, document in found:
            click.echo(output.short_name(ResourceKey(kind, "", document["metadata"]["name"])))
    elif found:
        _show_tables(found, form, with_namespace=with_namespace)
    else:
        assert wish.kind is not None or wish.keys
        where = f" in namespace {wish.namespace}" if wish.namespace else ""
        click.echo(f"There are no {wish.kind.plural if wish.kind else 'resources'}{where}.", err=True)


def show_document(document: object, form: Form) -> None:
    """*document* as JSON, as YAML, or as the template says."""
    match form:
        case Form("json"):
            output.print_json(document)
        case Form("yaml"):
            output.print_yaml(document)
        case Form(template=template):
            assert template is not None
            click.echo(template.render(document), nl=False)


def _show_tables(found: Sequence[Found], form: Form, *, with_namespace: bool) -> None:
    """One table for each kind, in the order of their first resources."""
    for number, kind in enumerate(dict.fromkeys(one.kind for one in found)):
        if number:
            click.echo()
        documents = [one.document for one in found if one.kind is kind]
        output.print_table(*table(kind, documents, form, with_namespace=with_namespace))


def table(
    kind: Kind, documents: Sequence[Document], form: Form, *, with_namespace: bool
) -> tuple[output.Row, list[output.Row]]:
    """Headers and rows of *documents*, all of *kind*, in the columns of *form*."""
    if form.name == "custom-columns":
        from tortie.cli.customcolumns import custom_table  # noqa: PLC0415 - few give columns of their own

        return custom_table(kind, documents, form.columns)
    return output.resource_table(
        kind, documents, wide=form.name == "wide", with_namespace=with_namespace and kind.namespaced
    )
